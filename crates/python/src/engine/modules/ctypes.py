"""`ctypes`: native code can't be called."""

raise ImportError("ctypes is not available here: there is no native code to call", name="ctypes")
