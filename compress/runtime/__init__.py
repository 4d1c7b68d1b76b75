"""Load and run model files, in this process or in one of their own."""
