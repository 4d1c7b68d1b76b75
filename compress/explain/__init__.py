"""Why a compressed file is as large and as good as it is: bytes, what stayed float, layers' errors, what to keep."""
