"""Runs a command and prints what it and all its descendants spent, as JSON: python3 spent.py COMMAND ..."""
import ctypes, json, os, resource, subprocess, sys, time

# Descendants whose parent ends first become ours: their time counts as well (Linux; elsewhere it is lost).
if sys.platform == "linux":
    PR_SET_CHILD_SUBREAPER = 36
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
# What started us by way of `exec` (pyenv's shim) leaves the time of its own children with us.
before = resource.getrusage(resource.RUSAGE_CHILDREN)
began = time.monotonic()
ended = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
wall = time.monotonic() - began
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({
    "status": ended.returncode,
    "stderr": ended.stderr[-2000:],
    "cpuSeconds": used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime,
    "wallSeconds": wall,
    "peakMebibytes": used.ru_maxrss / (1024 if sys.platform == "linux" else 2**20),
}))
