"""Why a compressed file is as large and as good as it is: bytes, what stayed float, each layer's error, what to keep."""
