#!/usr/bin/env python3
"""command.py: what a user does at the command line, end to end. Prints TAP.

usage: command.py SAMEBITS SPECS

Every shipped operator is called on .npy files written here and compared with an evaluation in binary64 by Python's math, with error
bounds that follow from the number of roundings. Standard library only.
"""
import array
import ctypes
import json
import math
import os
import pty
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile

samebits, specs = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
work = tempfile.mkdtemp(prefix="samebits command ")  # a folder with a blank
os.chdir(work)
environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "SAMEBITS_CLANG", "SAMEBITS_GCC")}
environment["SAMEBITS_BENCH_SECONDS"] = "1"
EPSILON = 2.0 ** -24  # half an ulp of binary32 at 1
count = failed = 0


def check(name, fine, why=""):
    global count, failed
    count += 1
    failed += not fine
    print(f"{'ok' if fine else 'not ok'} {count} - {name}", flush=True)
    if not fine:
        print("\n".join("#   " + line for line in str(why)[-1500:].splitlines()))


def run(*arguments, **extra):
    return subprocess.run([samebits, *arguments], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False,
                          env=dict(environment, **extra))


def spec(name):
    return os.path.join(specs, name + ".lua")


# ---- .npy files ----

def write_npy(path, values, shape):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape!r}, }}".encode()
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + struct.pack(f"<{len(values)}f", *values))


def read_npy(path):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<H", data[8:10])[0]
    header = data[10:10 + size].decode()
    shape = tuple(int(part) for part in re.search(r"'shape': \(([^)]*)\)", header).group(1).split(",") if part.strip())
    assert data[:8] == b"\x93NUMPY\x01\x00" and "'<f4'" in header and "'fortran_order': False" in header, header
    body = data[10 + size:]
    return list(struct.unpack(f"<{len(body) // 4}f", body)), shape, body


def rounded(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


# ---- operators in binary64 ----

ROWS, COLS, OUTPUTS = 7, 333, 5
dice = random.Random(20240229)


def draw(size):
    return [rounded(dice.gauss(0, 1) * dice.choice((10, 1, 1, 0.1))) for _ in range(size)]


def rows_of(values, cols=COLS):
    return [values[i:i + cols] for i in range(0, len(values), cols)]


def per_row(function):
    return lambda data: [(value, scale) for row in rows_of(data["x"]) for value, scale in function(row, data)]


def layernorm(x, data):
    mean = math.fsum(x) / COLS
    scale = 1 / math.sqrt(math.fsum((v - mean) ** 2 for v in x) / COLS + 1e-5)
    most = max(abs(v) for v in x)
    for v, weight, bias in zip(x, data["weight"], data["bias"]):
        yield (v - mean) * scale * weight + bias, (abs(v) + most) * scale * abs(weight) + abs(bias)


def rmsnorm(x, data):
    scale = 1 / math.sqrt(math.fsum(v * v for v in x) / COLS + 1e-6)
    for v, weight in zip(x, data["weight"]):
        yield v * scale * weight, abs(v * scale * weight)


def softmax(x, _):
    most = max(x)
    total = math.fsum(math.exp(v - most) for v in x)
    for v in x:
        yield math.exp(v - most) / total, math.exp(v - most) / total * (1 + most - v)  # exp turns absolute errors into relative ones


def logsumexp(x, _):
    most = max(x)
    value = most + math.log(math.fsum(math.exp(v - most) for v in x))
    yield value, abs(value) + 1


def products(x, w):
    terms = [a * b for a, b in zip(x, w)]
    return math.fsum(terms), math.fsum(map(abs, terms))


def dot(data):
    return [products(x, w) for x, w in zip(rows_of(data["x"]), rows_of(data["w"]))]


def linear(data):
    return [products(x, w) for x in rows_of(data["x"]) for w in rows_of(data["w"])]


both = {"x": (ROWS, COLS)}
# operator: shapes of its inputs, shape of y, (value, what errors are relative to) of each element, roundings on the way to one element
operators = {
    "sum": (both, (ROWS,), per_row(lambda x, _: [(math.fsum(x), math.fsum(map(abs, x)))]), COLS),
    "mean": (both, (ROWS,), per_row(lambda x, _: [(math.fsum(x) / COLS, math.fsum(map(abs, x)) / COLS)]), COLS + 1),
    "max": (both, (ROWS,), per_row(lambda x, _: [(max(x), 0)]), 0),
    "l2norm": (both, (ROWS,), per_row(lambda x, _: [(math.sqrt(math.fsum(v * v for v in x)),) * 2]), COLS),
    "dot": ({"x": (ROWS, COLS), "w": (ROWS, COLS)}, (ROWS,), dot, COLS),
    "linear": ({"x": (ROWS, COLS), "w": (OUTPUTS, COLS)}, (ROWS, OUTPUTS), linear, COLS),
    "logsumexp": (both, (ROWS,), per_row(logsumexp), COLS),
    "rmsnorm": ({"x": (ROWS, COLS), "weight": (COLS,)}, (ROWS, COLS), per_row(rmsnorm), COLS),
    "layernorm": ({"x": (ROWS, COLS), "weight": (COLS,), "bias": (COLS,)}, (ROWS, COLS), per_row(layernorm), COLS),
    "softmax": (both, (ROWS, COLS), per_row(softmax), COLS),
}
TREES = ("seq", "chunk(96, lanes(8), pairwise)")
has_avx2 = "yes  avx2" in run("doctor").stdout


def call(name, data, target, tree, *extra):
    return run("call", spec(name), *[f"{key}={key}.npy" for key in data], "-o", "y=y.npy", "-a", f"target={target}", "-a",
               f"tree={tree}", *extra)


def check_operator(name):
    shapes, shape, evaluate, roundings = operators[name]
    data = {key: draw(math.prod(size)) for key, size in shapes.items()}
    for key, size in shapes.items():
        write_npy(f"{key}.npy", data[key], size)
    exact = evaluate(data)
    for tree in TREES:
        found = {}
        for target in ("c", "avx2") if has_avx2 else ("c",):
            title = f"call {name} on {target}, {tree}: as in binary64"
            done = call(name, data, target, tree)
            if done.returncode != 0:
                check(title, False, done.stderr)
                continue
            values, said, found[target] = read_npy("y.npy")
            worst = max((abs(value - right) - EPSILON * (abs(right) + roundings * scale), value, right)
                        for value, (right, scale) in zip(values, exact))
            check(title, said == shape and len(values) == len(exact) and worst[0] <= 0, (said, worst))
        if has_avx2:
            check(f"call {name}, {tree}: c and avx2 give the same bits", len(set(found.values())) == 1)


for operator in operators:
    check_operator(operator)
shipped = {file[:-4] for file in os.listdir(specs) if file.endswith(".lua")}
check("every shipped operator was called", shipped - set(operators) == {"rmsnorm_methods", "rmsnorm_chunks"}, shipped)

# ---- doctor ----

doctor = json.loads(run("doctor", "--json").stdout)
names = [one["name"] for one in doctor["targets"]]
check("doctor names each target once", sorted(names) == sorted(set(names)) and {"c", "cuda", "metal", "mpi"} <= set(names), names)
check("doctor and list agree on what this version has",
      {one["name"] for one in doctor["targets"] if "version" not in one["said"]}
      == {one["name"] for one in json.loads(run("list", "targets", "--json").stdout)})
check("doctor says of each device whether it is here, and why not",
      [one["target"] for one in doctor["devices"]] == ["cuda", "metal"] and all(one["said"] for one in doctor["devices"]), doctor)

# ---- docs: every environment variable that is read is in the table ----

root = os.path.dirname(specs)
read = set()
for folder in ("generator", "runtime"):
    for path, _, files in os.walk(os.path.join(root, folder)):
        for name in files:
            if name.endswith(".c"):
                text = open(os.path.join(path, name), encoding="utf-8").read()
                read |= set(re.findall(r'getenv\("(\w+)"\)', text)) | set(re.findall(r'"(SAMEBITS_[A-Z_]+)"', text))
table = set(name for row in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", open(os.path.join(root, "docs", "environment.md"), encoding="utf-8").read(), re.MULTILINE)
            for name in re.findall(r"\w+", row))
check("docs/environment.md lists what is read", read - {"PATH"} == table, (sorted(read - table), sorted(table - read)))

# ---- call: threads, params, other programs ----

write_npy("x.npy", draw(ROWS * COLS), (ROWS, COLS))
write_npy("weight.npy", draw(COLS), (COLS,))
bits = set()
for threads in ("1", "3", "8"):
    call("rmsnorm", ("x", "weight"), "c", "lanes(32)", "--threads", threads)
    bits.add(read_npy("y.npy")[2])
check("call: 1, 3 and 8 threads give the same bits", len(bits) == 1)
call("rmsnorm", ("x", "weight"), "c", "lanes(32)", "eps=1000")
check("call: a param changes the result", read_npy("y.npy")[2] not in bits)

variant = next(one for one in json.load(open("out/rmsnorm/manifest.json", encoding="utf-8"))["variants"])
library = ctypes.CDLL(os.path.abspath(f"out/rmsnorm/obj/clang-O3/{variant['id']}.so"))
x, weight, y = (array.array("f", read_npy(name)[0]) for name in ("x.npy", "weight.npy", "y.npy"))
pointers = [(ctypes.c_float * len(one)).from_buffer(one) for one in (x, weight, y)]
getattr(library, variant["symbol"])(*pointers, ctypes.c_size_t(ROWS), ctypes.c_size_t(COLS), ctypes.c_float(1e-6))
check("another program calls the same function: inputs, outputs, sizes, params", y.tobytes() in bits)
check("the manifest says that signature", [one["name"] for one in variant["args"]] == ["x", "weight", "y", "rows", "cols", "eps"])

# ---- axes ----

done = run("list", "variants", spec("sum"), "--json", "-a", "tree=chunk(96, lanes(8), pairwise),seq", "-a", "target=c")
trees = [one["tree"] for one in json.loads(done.stdout)["variants"]]
check("-a tree=: a comma inside parentheses does not separate", trees == ["chunk(96, lanes(8, seq, halving), pairwise)", "seq"], trees)
done = run("call", spec("sum"), "x=x.npy", "-o", "y=y.npy", "-a", "target=c")
wanted = re.findall(r"-a target=\S+ -a tree='([^']*)' -a accumulator=\S+", done.stderr)
check("call of several variants: status 2 and a list of them", done.returncode == 2 and len(wanted) == 4, done.stderr)
done = run("call", spec("sum"), "x=x.npy", "-o", "y=y.npy", "-a", "target=c", "-a", f"tree={wanted[-1] if wanted else ''}")
check("what that list says narrows down to one", done.returncode == 0, done.stderr)

# ---- JSON ----

small = """local rows, cols = dim "rows", dim "cols"
local x = input("x", rows, cols)
return kernel "total" {
  output = { y = sum(cols, x) }, tree = { lanes(32), chunk(64, seq, seq) }, target = { "c" },
  bench = { shape = { { rows = 16, cols = 256 } } },
}
"""
for name in ("small", "other"):
    with open(name + ".lua", "w", encoding="utf-8") as file:
        file.write(small)
results = {}
for arguments in ("list operators " + specs.replace(" ", "\0"), "list targets", "list terms", "list variants small.lua", "doctor",
                  "tree chunk(8,lanes(4),pairwise)", "tree small.lua", "elementary --sample 100", "generate small.lua",
                  "emulation small.lua", "compile small.lua", "verify small.lua", "verify small.lua other.lua", "bench small.lua", "run small.lua"):
    done = run(*[part.replace("\0", " ") for part in arguments.split()], "--json")
    try:
        results[arguments] = json.loads(done.stdout, parse_constant=lambda name: check(f"no {name} in JSON", False))
        check(f"{arguments.replace(specs, 'specs')} --json: one JSON text", done.returncode == 0, done.stderr)
    except json.JSONDecodeError as error:
        check(f"{arguments} --json: one JSON text", False, f"{error}: {done.stdout[:300]} {done.stderr}")
emulated = results.get("emulation small.lua", {})
check("emulation: a switch, and each GPU kernel against scalar C", emulated.get("switch_ns", 0) > 0 and
      {one["target"] for one in emulated["kernels"]} == {"cuda", "metal"} and
      all(way["times_scalar"] > 0 for one in emulated["kernels"] for way in one["emulated"]), emulated)
check("several specs give a list", [one["family"] for one in results["verify small.lua other.lua"]] == ["small", "other"])
fields = "id operator dtype tree target contract source symbol args launch".split()
check("manifest: the fields it promises", all(set(fields) <= set(one) for one in results["generate small.lua"]["variants"]))
promises = {"RUN", "BATCH", "THREADS", "RANKS", "LAYOUT", "BUILD", "TARGET", "TREE"}
statuses = re.compile(r"kept|broken|vacuous|not promised|not tried: .+")
for one in results["verify small.lua"]["variants"]:
    fine = set(fields + ["promises", "output_digest"]) <= set(one) and set(one["promises"]) == promises
    fine = fine and all(statuses.fullmatch(p["status"]) and isinstance(p["cases"], int) for p in one["promises"].values())
    check(f"verify --json: {one['id']} has the fields it promises", fine, json.dumps(one)[:800])
check("run --json holds all three", set(results["run small.lua"]) == {"manifest", "verify", "bench"})
timed = [entry for entry in results["bench small.lua"]["shapes"][0]["entries"] if entry["kind"] == "variant"]
check("bench: first call and settled time per variant", len(timed) == 2 and all(
    entry["first_call_ns"] > 0 and entry["settled_ns"] > 0 and entry["warmup_calls"] >= 1 for entry in timed), timed)
done = run("verify", "small.lua", "absent.lua", "--json")
check("a bad spec beside a good one: a list without it, status 2",
      done.returncode == 2 and [one["family"] for one in json.loads(done.stdout)] == ["small"], done.stderr)

# ---- quiet, colour, progress ----


def on_terminal(*arguments, **extra):
    """What a terminal would have been sent."""
    master, slave = pty.openpty()
    child = subprocess.Popen([samebits, *arguments], stdin=slave, stdout=slave, stderr=slave, env=dict(environment, TERM="xterm", **extra))
    os.close(slave)
    said = b""
    try:
        while part := os.read(master, 65536):
            said += part
    except OSError:  # the other end was closed
        pass
    os.close(master)
    return child.wait(), said.decode(errors="replace")


done = run("verify", "small.lua", "-q")
check("-q says nothing when all is kept", done.returncode == 0 and done.stdout + done.stderr == "", done.stdout + done.stderr)
done = run("generate", "absent.lua", "-q")
check("-q still says what is wrong", done.returncode == 2 and "absent.lua" in done.stderr)
check("no escape sequence goes into a pipe", "\033" not in run("verify", "small.lua").stdout)
status, said = on_terminal("verify", "small.lua")
check("a terminal gets colours", status == 0 and "\033[32m" in said, said[-400:])
check("and a progress bar", re.search(r"verify.*\r.*verify", said, re.DOTALL), said[:400])
status, said = on_terminal("verify", "small.lua", NO_COLOR="1")
check("NO_COLOR switches colours off", status == 0 and not re.search(r"\033\[[0-9;]*m", said), said[-400:])
status, said = on_terminal("verify", "small.lua", "-q")
check("-q has no progress bar", status == 0 and said == "", said)

print(f"1..{count}")
os.chdir("/")
shutil.rmtree(work)
sys.exit(1 if failed else 0)
