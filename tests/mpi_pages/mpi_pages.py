#!/usr/bin/env python3
"""mpi_pages.py: kernels of target mpi as mpicc builds them, without anything of the runtime. Prints TAP.

usage: mpi_pages.py SAMEBITS SPECS FOLDER

Every operator, several trees, every exchange: FOLDER/ranks.c calls them on 1 to 8 ranks with all kinds of cuts and compares bits with the
avx2 kernels. Standard library only. Skipped, with the reason, where ranks cannot be started.
"""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

samebits, specs, folder = (os.path.abspath(argument) for argument in sys.argv[1:4])
work = tempfile.mkdtemp(prefix="samebits-mpi-")
mpicc, mpirun = os.environ.get("SAMEBITS_MPICC", "mpicc"), os.environ.get("SAMEBITS_MPIRUN", "mpirun")
TREES = ["chunk(64, lanes(32), pairwise)", "split(7, lanes(8), seq)", "chunk(16, seq, chunk(3, lanes(2), halving))"]
EXCHANGES = ["gather", "scatter", "tree"]
OPERATORS = ["sum", "dot", "mean", "max", "l2norm", "logsumexp", "rmsnorm", "layernorm", "softmax", "linear"]
environment = dict(os.environ, OMP_NUM_THREADS="1")
count = failed = 0


def check(name, fine, why=""):
    global count, failed
    count += 1
    failed += not fine
    print(f"{'ok' if fine else 'not ok'} {count} - {name}", flush=True)
    if not fine:
        print("\n".join("#   " + line for line in str(why)[-3000:].splitlines()))


def skip_all(why):
    print(f"1..0 # SKIP {why}")
    shutil.rmtree(work, ignore_errors=True)
    sys.exit(0)


def run(command, seconds=300, **extra):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds, cwd=work, stdin=subprocess.DEVNULL, check=False,
                              env=dict(environment, **extra))
    except subprocess.TimeoutExpired as late:
        return subprocess.CompletedProcess(command, 124, str(late.stdout or ""), f"no answer within {seconds} s: {late.stderr or ''}")


def launcher():
    for program in (mpicc, mpirun):
        if not shutil.which(program):
            skip_all(f"no {program} in PATH")
    said = run([mpirun, "--version"], 60).stdout
    words = [mpirun]
    if "Open MPI" in said or "OpenRTE" in said:
        words += ["--oversubscribe"]
        if os.geteuid() == 0:
            words += ["--allow-run-as-root"]
    return words


# ---- kernels ----

def generate(operator, *axes):
    said = run([samebits, "generate", os.path.join(specs, operator + ".lua"), "--out", work, *(word for axis in axes for word in ("-a", axis))])
    if said.returncode:
        check(f"generate {operator}", False, said.stdout + said.stderr)
    manifest = json.load(open(os.path.join(work, operator, "manifest.json"), encoding="utf-8"))
    keep = os.path.join(work, "kernels")
    os.makedirs(keep, exist_ok=True)
    for variant in manifest["variants"]:
        shutil.copy(os.path.join(work, operator, variant["source"]), keep)
    return manifest


def collect():
    """(manifest, mpi variant, avx2 variant) of everything that is tried."""
    found = []
    for i, operator in enumerate(OPERATORS):
        cases = [(TREES[i % 3], "f32", EXCHANGES, "off"), (TREES[(i + 1) % 3], "f64", EXCHANGES if operator == "rmsnorm" else EXCHANGES[i % 3:][:1], "on")]
        cases += [("lanes(32)", "f32", EXCHANGES[:1], "off")] if operator in ("softmax", "linear", "max") else []
        cases += [(TREES[i % 3], "f32", EXCHANGES, "off,on")] if operator == "softmax" else []
        for tree, accumulator, exchanges, overlap in cases:
            manifest = generate(operator, "tree=" + tree, "accumulator=" + accumulator, "target=avx2,mpi", "exchange=" + ",".join(exchanges), "overlap=" + overlap)
            alone = [v for v in manifest["variants"] if v["target"] == "avx2"]
            shared = [v for v in manifest["variants"] if v["target"] == "mpi"]
            if overlap == "off,on": # those without it are there by now
                shared = [v for v in shared if v["overlap"]]
            check(f"{operator}, {tree}: one kernel for avx2, one for mpi and each exchange", len(alone) == 1 and len(shared) == len(exchanges), manifest["skipped"])
            found += [(manifest, v, alone[0]) for v in shared]
    return found


def tensor(dims, shape):
    return "{%d, {%s}}" % (len(shape), ", ".join(str(dims.index(dim)) for dim in shape) or "0")


def table(found):
    lines, rows = [], []
    for manifest, shared, alone in found:
        dims = manifest["operator"]["dims"]
        kinds = {kind: [a for a in alone["args"] if a["kind"] == kind] for kind in ("input", "output", "size", "param")}
        types = ["const float *"] * len(kinds["input"]) + ["float *"] * len(kinds["output"]) + ["size_t"] * len(dims) + ["float"] * len(kinds["param"])
        values = [f"{array}[{i}]" for array, kind in (("in", "input"), ("out", "output"), ("size", "size"), ("param", "param"))
                  for i in range(len(kinds[kind]))]
        lines.append(f"Call {shared['symbol']}_call;")
        if f"whole_{alone['id']}(" not in "".join(lines):
            lines.append(f"void {alone['symbol']}({', '.join(types)});")
            lines.append(f"static void whole_{alone['id']}(const float *const *in, float *const *out, const size_t *size, const float *param)")
            lines.append("{ (void)param; %s(%s); }" % (alone["symbol"], ", ".join(values)))
        spread = shared["distributed"]
        rows.append('{"%s", %s_call, whole_%s, %d, %d, %d, %d, %d, %d, {%s}, {%s}},' % (
            shared["id"], shared["symbol"], alone["id"], len(dims), len(kinds["input"]), len(kinds["output"]), dims.index(spread["dim"]),
            spread["part"], spread["pieces"], ", ".join(tensor(dims, a["shape"]) for a in kinds["input"] + kinds["output"]),
            ", ".join(repr(a["default"]) + "f" for a in kinds["param"]) or "0"))
    def number(operator, exchange, other="", overlap=False):
        return next(i for i, (_, v, _) in enumerate(found) if v["operator"] == operator and v["exchange"] == exchange and v["distributed"]["reduced"]
                    and (v["accumulator"], v["overlap"]) == (("f64", True) if other else ("f32", overlap)))
    pairs = [(number("rmsnorm", e), number("rmsnorm", e, "f64")) for e in EXCHANGES]
    pairs += [(number("softmax", e), number("softmax", f)) for e in EXCHANGES for f in EXCHANGES if e != f]
    pairs += [(number("softmax", e), number("softmax", e, overlap=True)) for e in EXCHANGES]
    with open(os.path.join(work, "kernels", "kernels.h"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\nstatic const Kernel kernels[] = {\n" + "\n".join(rows) + "\n};\nstatic const int pairs[][2] = {" +
                   ", ".join("{%d, %d}" % pair for pair in pairs) + "};\n" +
                   "static const int scattered = %d, wide[] = {%s};\n" % (number("sum", "scatter"), ", ".join(str(number("mean", e)) for e in EXCHANGES)))


def compile_one(source):
    """Values lie between headers in one block of memory: a misaligned one traps."""
    plain = re.search(r"_avx2_", source)
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-fsanitize=alignment,bounds",
             "-fsanitize-undefined-trap-on-error"] if not plain else ["-O1", "-mavx2", "-mfma", "-ffp-contract=off", "-fopenmp"]
    return source, run([mpicc, *flags, "-c", "-o", f"kernels/{source}.o", f"kernels/{source}"])


def build():
    sources = sorted(name for name in os.listdir(os.path.join(work, "kernels")) if name.endswith(".c"))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(compile_one, sources))
    bad = [name + "\n" + said.stderr for name, said in results if said.returncode]
    check(f"{len(sources)} sources compile without a warning and without flags for instruction sets", not bad, "\n".join(bad))
    said = run([mpicc, "-O1", "-Wall", "-Wextra", "-Werror", "-I", "kernels", "-fopenmp", "-Wl,--wrap=malloc,--wrap=calloc,--wrap=aligned_alloc", "-o", "ranks", os.path.join(folder, "ranks.c"),
                *[f"kernels/{name}.o" for name in sources], "-lm"])
    check("they link into one program, whose main is its own", not said.returncode, said.stderr)
    return not bad and not said.returncode


# ---- as programs of their own ----

def digest_of(words, program, ranks, arguments):
    said = run([*words, "-np", str(ranks), program, *arguments], 120)
    return said.stdout.strip() if said.returncode == 0 else f"exit {said.returncode}: {said.stdout[-500:]}{said.stderr[-1500:]}"


def check_program(words, source, arguments):
    said = run([mpicc, "-O3", "-o", "program", f"kernels/{source}", "-lm"])
    check(f"mpicc -O3 {source}", not said.returncode, said.stderr)
    alone = digest_of(words, "./program", 1, arguments)
    check(f"{source}: a digest ({alone})", re.fullmatch("digest [0-9a-f]{16}", alone), alone)
    for ranks, cut in ((2, []), (3, ["0", "1"]), (5, [])):
        shared = digest_of(words, "./program", ranks, arguments + cut)
        check(f"{source}: the same on {ranks} ranks", shared == alone, shared)
    other = digest_of(words, "./program", 1, [str(int(arguments[0]) + 1), *arguments[1:]])
    check(f"{source}: another problem, another digest", other != alone, other)


def no_contraction():
    """a * b + c by a compiler that may contract, behind the kernels' own pragmas: two roundings."""
    source = open(os.path.join(work, "kernels", next(n for n in os.listdir(os.path.join(work, "kernels")) if "_mpi_" in n and n.endswith(".c"))), encoding="utf-8").read()
    begin, end = source.index("#if defined(__clang__)"), source.index("#include <immintrin.h>")
    with open(os.path.join(work, "fma.c"), "w", encoding="utf-8") as file:
        file.write(source[begin:end] + "#include <stdio.h>\n__attribute__((noinline)) static float f(float a, float b, float c) { return a * b + c; }\n"
                   'int main(int argc, char **argv) { (void)argv; float e = (float)argc * 0x1p-20f; printf("%a\\n", (double)f(1 + e, 1 - e, -1)); }\n')
    for compiler in ("gcc", "clang"):
        if not shutil.which(compiler):
            print(f"# {compiler} is not here: contraction not tried")
            continue
        for flags in (["-O3", "-mavx2", "-mfma"], ["-O3"]):
            said = run([compiler, *flags, "-o", "fma", "fma.c"])
            answer = run(["./fma"]).stdout.strip() if not said.returncode else said.stderr
            check(f"{compiler} {' '.join(flags)}: product and sum round each by itself", answer == "0x0p+0", answer)


words = launcher()
found = collect()
table(found)
if build():
    said = run([*words, "-np", "8", "./ranks"], 600)
    check("1, 2, 3, 4, 5, 8 ranks, even, empty and random shares: the bits of avx2; ranks that disagree return one code",
          said.returncode == 0 and re.search(r"^done \d+, 0 wrong$", said.stdout, re.M), said.stdout[-2500:] + said.stderr[-500:])
    print("# " + (said.stdout.strip().splitlines() or ["nothing"])[-1])
    for _, variant, _ in [f for f in found if f[1]["operator"] == "rmsnorm"][:3]:
        check_program(words, variant["source"], ["9", "3000"])
    no_contraction()
print(f"1..{count}")
shutil.rmtree(work, ignore_errors=True)
sys.exit(failed > 0)
