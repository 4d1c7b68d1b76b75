"""Low-rank factorisation: two thin matrices in place of one."""
