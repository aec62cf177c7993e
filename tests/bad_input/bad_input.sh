#!/usr/bin/env bash
# bad_input.sh: every kind of bad input, end to end. Each case checks the exit status and what the message says: what, where, why,
# what to do. Prints TAP.
#
# usage: bad_input.sh SAMEBITS
# shellcheck disable=SC2016 # commands for another shell are in single quotes on purpose
set -u
samebits="$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"
[ -x "$samebits" ] || { echo "Bail out! $samebits is no program"; exit 1; }
work="$(mktemp -d)"
trap 'rm -rf -- "$work"' EXIT
cd "$work" || exit 1
export NO_COLOR=1 LC_ALL=C.UTF-8 PATH="$work:$PATH" # compilers of these tests are found by name
unset SAMEBITS_CLANG SAMEBITS_GCC
count=0
failed=0

# ---- TAP ----

pass() { printf 'ok %d - %s\n' $((++count)) "$1"; }
fail() { # NAME WHY
  failed=$((failed + 1))
  printf 'not ok %d - %s\n' $((++count)) "$1"
  printf '# %s\n' "$2"
  tail -n 20 said 2>/dev/null | cut -c 1-300 | sed 's/^/#   /'
}
that() { # NAME COMMAND...: the command must succeed
  local name="$1"
  shift
  if "$@"; then pass "$name"; else fail "$name" "not so: $*"; fi
}
skipped() { printf 'ok %d - %s # SKIP %s\n' $((++count)) "$1" "$2"; }

# check NAME STATUS PATTERN... -- COMMAND...: each extended pattern must match what the command says on stdout and stderr.
check() {
  local name="$1" wanted="$2" patterns=() status
  shift 2
  while [ "$1" != -- ]; do
    patterns+=("$1")
    shift
  done
  shift
  timeout -k 5 90 "$@" >said 2>&1 </dev/null
  status=$?
  judge "$name" "$wanted" "$status" "${patterns[@]}"
}

judge() { # NAME WANTED STATUS PATTERN...
  local name="$1" wanted="$2" status="$3" pattern
  shift 3
  if [ "$status" != "$wanted" ]; then
    fail "$name" "exit status $status, wanted $wanted"
    return
  fi
  for pattern in "$@"; do
    if ! grep -qiE -- "$pattern" said; then
      fail "$name" "nothing said matches: $pattern"
      return
    fi
  done
  if grep -qE 'Assertion|AddressSanitizer|runtime error:|core dumped' said; then
    fail "$name" "an internal error shows"
    return
  fi
  pass "$name"
}

# spec NAME: reads NAME.lua from standard input.
spec() { cat >"$1.lua"; }

# A small spec that is right, as text with one line replaced: good_with PATTERN REPLACEMENT
good() {
  cat <<'LUA'
local rows, cols = dim "rows", dim "cols"
local x = input("x", rows, cols)
return kernel "total" {
  output = { y = sum(cols, x) },
  tree   = { lanes(32) },
  target = { "c" },
}
LUA
}
good_with() { good | sed "s/$1/$2/"; }

bad_spec() { # NAME FILE PATTERN...: the file must be refused with its name and a line
  local name="$1" file="$2"
  shift 2
  check "$name" 2 "$file\.lua:[0-9]+" "$@" -- "$samebits" generate "$file.lua" --out out
}

good >total.lua
check "the small spec itself is fine" 0 -- "$samebits" generate total.lua --out out

# ---- specs ----

good_with 'target =' 'traget =' | spec unknown_field
bad_spec "unknown field" unknown_field "unknown field '?traget" "target"
good_with 'sum(cols, x)' 'smu(cols, x)' | spec unknown_operator
bad_spec "unknown operator" unknown_operator "smu" "did you mean 'sum'"
good_with 'lanes(32)' 'lane(32)' | spec unknown_term
bad_spec "unknown term" unknown_term "'lane'" "lanes"
good_with '"c"' '"avx3"' | spec unknown_target
bad_spec "unknown target" unknown_target "avx3" "avx2"
good_with 'sum(cols, x)' 'sum(x, cols)' | spec wrong_type
bad_spec "operands of the wrong type" wrong_type "dim"
good_with 'sum(cols, x)' 'sum(cols, "x")' | spec wrong_operand
bad_spec "a string where a value is needed" wrong_operand
for size in 0 -4 1.5 1e30 '"8"'; do
  good_with 'lanes(32)' "chunk($size, seq, seq)" | spec bad_size
  bad_spec "chunk of $size" bad_size "chunk|whole number|size"
done
for size in 0 -1 2.5 100000; do
  good_with 'lanes(32)' "lanes($size)" | spec bad_lanes
  bad_spec "$size lanes" bad_lanes "lanes|whole number|size"
done
good_with 'lanes(32)' 'completion' | spec lone_completion
bad_spec "completion over leaves" lone_completion "completion"
good_with 'output = ' 'output = 7, --' | spec wrong_output
bad_spec "a field of the wrong type" wrong_output "output"

good_with 'lanes(32)' 'chunk(0 * math.huge, seq, seq)' | spec nan_size
bad_spec "chunk of 0 / 0" nan_size "not a number"

printf 'while true do end\n' | spec loops
bad_spec "a spec that loops" loops "budget|without ending|instructions"
printf 'while true do pcall(function() while true do end end) end\n' | spec loops_in_pcall
bad_spec "a loop behind pcall" loops_in_pcall "budget|without ending|instructions"
printf 'local function f() return 1 + f() end\nreturn f()\n' | spec recurses
bad_spec "a spec that recurses" recurses "overflow|recursion|budget|memory"
printf 'local function f() return f() end\nreturn f()\n' | spec recurses_by_tail
bad_spec "an endless tail call" recurses_by_tail "budget|without ending|instructions"
printf 'local t = {}\nfor i = 1, 1e9 do t[i] = { i } end\n' | spec allocates
bad_spec "a spec that allocates without end" allocates "memory|budget"
printf 'local s = "x"\nwhile true do s = s .. s end\n' | spec doubles
bad_spec "a string that doubles" doubles "memory|budget|bytes"
printf 'return string.rep("x", 1 << 40)\n' | spec repeats
bad_spec "string.rep of a terabyte" repeats "memory|bytes|result"
printf 'return string.find(string.rep("a", 100000), string.rep("a?", 30) .. string.rep("a", 30) .. "b")\n' | spec matches
bad_spec "a pattern that takes for ever" matches
printf 'io.open("/etc/passwd")\n' | spec uses_io
bad_spec "a call of io" uses_io "'?io'?"
printf 'os.execute("touch was-here")\n' | spec uses_os
bad_spec "a call of os" uses_os "'?os'?"
that "os.execute did nothing" test ! -e was-here
for name in debug dofile load loadfile package require; do
  printf 'local f = %s\nf("x")\n' "$name" | spec "uses_$name"
  bad_spec "use of $name" "uses_$name" "$name"
done
printf 'local x = 1\n' | spec returns_nothing
check "a spec that returns nothing" 2 "returns_nothing\.lua" "return" "kernel" -- "$samebits" generate returns_nothing.lua --out out
printf 'return 7\n' | spec returns_number
check "a spec that returns a number" 2 "returns_number\.lua" "kernel" -- "$samebits" generate returns_number.lua --out out
: | spec empty
check "an empty spec" 2 "empty\.lua" -- "$samebits" generate empty.lua --out out
printf 'local x = = 1\n' | spec syntax
bad_spec "a syntax error" syntax
printf 'error({})\n' | spec raises_table
check "an error that is no text" 2 "raises_table\.lua" -- "$samebits" generate raises_table.lua --out out

luac="$(command -v luac5.4 || command -v luac || true)"
if [ -n "$luac" ]; then
  "$luac" -o bytecode.lua total.lua
  check "bytecode" 2 "bytecode\.lua" "bytecode|source" -- "$samebits" generate bytecode.lua --out out
else
  skipped "bytecode" "luac5.4 is missing (apt-get install lua5.4)"
fi
truncate -s 100M big.lua
check "a spec of 100 MB" 2 "big\.lua" "large|limit" -- "$samebits" generate big.lua --out out
mkdir folder.lua
check "a directory for a spec" 2 "folder\.lua" "directory" -- "$samebits" generate folder.lua --out out
check "a spec that is not there" 2 "absent\.lua" "no such|not (there|found|exist)" -- "$samebits" generate absent.lua --out out
check "/dev/zero for a spec" 2 "/dev/zero" -- "$samebits" generate /dev/zero --out out

# ---- the command line ----

check "unknown command" 2 "generat" "generate" -- "$samebits" generat total.lua
check "unknown option" 2 "--otu" -- "$samebits" generate total.lua --otu x
check "an option without its value" 2 "--out" -- "$samebits" generate total.lua --out
check "no spec" 2 "spec" -- "$samebits" generate
check "unknown axis" 2 "unknown axis" "traget" "target" -- "$samebits" generate total.lua --out out -a traget=c
check "unknown target on the command line" 2 "avx9" "avx2" -- "$samebits" generate total.lua --out out -a target=avx9
for tree in 'chunk(0, seq, seq)' 'chunk(-8, seq, seq)' 'chunk(1.5, seq, seq)' 'lanes(32' 'lanez(32)' 'chunk(64, seq)' 'seq)' ''; do
  check "-a tree='$tree'" 2 "tree|size|term" -- "$samebits" generate total.lua --out out -a "tree=$tree"
done
check "tree without leaves" 2 "leaves" -- "$samebits" tree 'lanes(8)' --leaves minus
check "tree of an unknown term" 2 "lane" "lanes" -- "$samebits" tree 'lane(8)' --leaves 9
check "list of an unknown thing" 2 "operators" -- "$samebits" list operatorz
check "help needs nothing" 0 "usage" -- "$samebits" --help
for command in run generate compile verify bench bundle call emulation tree list doctor; do
  check "$command --help" 0 "usage" -- "$samebits" "$command" --help
done

for name in COMPILE VERIFY BENCH; do
  check "SAMEBITS_${name}_SECONDS that is no number" 2 "SAMEBITS_${name}_SECONDS" "'soon'" "seconds" -- \
    env "SAMEBITS_${name}_SECONDS=soon" "$samebits" run total.lua --out out
done

# ---- what cannot be made is said with the reason, by every command ----

good_with 'sum(cols, x)' 'sum(rows, sum(cols, x))' | spec nested
for command in generate compile verify run; do
  check "$command of an operator without a kernel" 1 "skipped: nested_c_lanes32_f32: .*dim" -- "$samebits" "$command" nested.lua --out out
done
check "call of an operator without a kernel" 1 "skipped: nested_c_lanes32_f32: .*dim" -- \
  "$samebits" call nested.lua x=x.npy -o y=y.npy --out out
good_with 'y = sum(cols, x)' 'y = sum(cols, x), z = sum(rows, x)' | spec apart
check "reductions over different dims" 1 "reduces over cols and elsewhere over rows.*sum\(cols, rows, \.\.\.\).*two kernels" -- \
  "$samebits" generate apart.lua --out out
good_with 'y = sum(cols, x)' 'y = sum(cols, x), z = max(input("w", cols), 0)' | spec lacking
check "outputs that do not share their parallel dims" 1 "output z lacks the parallel dim rows.*kernel of its own" -- \
  "$samebits" generate lacking.lua --out out
good_with 'y = sum(cols, x)' 'y = sum(rows, cols, x) + input("w", cols)' | spec half
check "an output with one of the dims that are reduced together" 1 "output y lacks the dim rows.*all reduced dims or none" -- \
  "$samebits" generate half.lua --out out
check "list variants shows it, too" 0 "skipped: nested_c_lanes32_f32: .*dim" -- "$samebits" list variants nested.lua

# ---- compilers ----

check "a compiler that is missing" 1 "/nonexistent/clang|clang" "no compiler|missing|not found" "install|SAMEBITS_CLANG" -- \
  env SAMEBITS_CLANG=/nonexistent/clang "$samebits" compile total.lua --out out-missing
printf '#!/bin/sh\necho "total: error: this compiler always fails" >&2\nexit 1\n' >failing
printf '#!/bin/sh\nexec sleep 600\n' >hanging
chmod +x failing hanging
check "a compiler that fails" 1 "this compiler always fails|failed" -- \
  env SAMEBITS_CLANG=failing "$samebits" compile total.lua --out out-failing
started=$SECONDS
check "a compiler that hangs" 1 "no answer|within|time" -- \
  env SAMEBITS_CLANG=hanging SAMEBITS_COMPILE_SECONDS=2 "$samebits" compile total.lua --out out-hanging
that "a hanging compiler is given up" test $((SECONDS - started)) -lt 60
check "after a bad compiler a good one works in the same folder" 0 -- "$samebits" compile total.lua --out out-hanging

# ---- kernels that crash or write out of bounds: that variant only ----

real_clang="$(command -v clang || true)"
# A compiler that puts a faulty kernel in the place of one variant's (the one whose source has "chunk" in its name).
cat >faulty <<'SH'
#!/usr/bin/env bash
new=()
for argument in "$@"; do
  case "$argument" in
  *baseline* | *control*) ;;
  *chunk*.c)
    symbol="$(grep -oE 'samebits_[A-Za-z0-9_]+' "$argument" | head -n 1)"
    fault="$FAULT_FOLDER/$symbol.c"
    sed "s/SYMBOL/$symbol/" "$FAULT" >"$fault"
    argument="$fault"
    ;;
  esac
  new+=("$argument")
done
exec clang "${new[@]}"
SH
chmod +x faulty
good | sed 's/lanes(32)/lanes(32), chunk(64, seq, seq)/' >two.lua
head='#include <stddef.h>
void SYMBOL(const float *x, float *y, size_t rows, size_t cols);
void SYMBOL(const float *x, float *y, size_t rows, size_t cols) {
  for (size_t r = 0; r < rows; r++) { y[r] = 0; for (size_t c = 0; c < cols; c++) y[r] += x[r * cols + c]; }'
printf '%s\n  *(volatile int *)8 = 1; }\n' "$head" >crash.c
printf '%s\n  y[rows] = 1; }\n' "$head" >overrun.c
printf '%s\n  ((float *)x)[0] = 1; }\n' "$head" >input.c
printf '%s\n  if (rows) y[0] += 1; }\n' "$head" >wrong.c
printf '%s\n  volatile size_t forever = rows;\n  while (forever) {} }\n' "$head" >loop.c
faulty_case() { # NAME FAULT PATTERN [VARIABLE=VALUE]
  check "$1: verify says so" 1 "chunk" "$3" -- env ${4:+"$4"} \
    SAMEBITS_CLANG=faulty FAULT="$work/$2.c" FAULT_FOLDER="$work" "$samebits" verify two.lua --out "out-$2"
  python3 - "out-$2/two/verify.json" >said 2>&1 <<'PY'
import json, sys
for variant in json.load(open(sys.argv[1]))["variants"]:
    bad = bool(variant.get("failure")) or any(p["status"] == "broken" for p in variant.get("promises", {}).values())
    assert bad == variant["tree"].startswith("chunk"), (variant["id"], variant.get("failure"), variant.get("promises"))
PY
  judge "$1: that variant only" 0 $?
}
if [ -n "$real_clang" ]; then
  faulty_case "a kernel that crashes" crash "SIGSEGV"
  faulty_case "a kernel that writes behind its output" overrun "SIGSEGV|canary|written|behind"
  faulty_case "a kernel that writes into its input" input "input|SIGSEGV"
  faulty_case "a kernel that is wrong" wrong "TREE"
  # The good variant beside it needs some of that time: a busy machine must not make it look bad, too.
  started=$SECONDS
  faulty_case "a kernel that loops" loop "no answer within 20 s" SAMEBITS_VERIFY_SECONDS=20
  that "a looping kernel is given up" test $((SECONDS - started)) -lt 80
else
  skipped "kernels that crash" "clang is missing"
fi

# ---- npy files ----

python3 - <<'PY'
import struct
def npy(path, descr="<f4", fortran=False, shape=(2, 64), data=None, magic=b"\x93NUMPY\x01\x00"):
    header = ("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }" % (descr, fortran, shape)).encode()
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    count = 1
    for size in shape:
        count *= size
    data = struct.pack("<%df" % count, *[(i * 37 % 101) / 8 for i in range(count)]) if data is None else data
    open(path, "wb").write(magic + struct.pack("<H", len(header)) + header + data)
npy("x.npy")
npy("short.npy", data=b"\0" * 100)
npy("big.npy", descr=">f4")
npy("fortran.npy", fortran=True)
npy("double.npy", descr="<f8", data=b"\0" * 1024)
npy("integer.npy", descr="<i4")
npy("rank.npy", shape=(128,))
npy("long.npy", data=b"\0" * 600)
npy("huge.npy", shape=(1 << 40, 1 << 40), data=b"")
npy("magic.npy", magic=b"NUMPYNO\x00")
open("header.npy", "wb").write(b"\x93NUMPY\x01\x00\xff\x00{'descr'")
open("empty.npy", "wb").close()
PY
check "call on good data" 0 -- "$samebits" call total.lua x=x.npy -o y=y.npy --out out
for file in "short|truncated" "big|endian" "fortran|Fortran" "double|f8.*float32" "integer|i4.*float32" "rank|shape|dim|rank" \
  "long|behind|bytes" "huge|memory|elements|large|truncated" "magic|npy" "header|truncated" "empty|empty"; do
  check "${file%%|*}.npy" 2 "${file%%|*}\.npy" "${file#*|}" -- "$samebits" call total.lua "x=${file%%|*}.npy" -o y=bad.npy --out out
done
that "no output from bad input" test ! -e bad.npy
check "an input that is not there" 2 "absent\.npy" -- "$samebits" call total.lua x=absent.npy -o y=bad.npy --out out
check "an input that is not named" 2 "'?x'?" -- "$samebits" call total.lua -o y=bad.npy --out out
check "an unknown input" 2 "'?z'?" -- "$samebits" call total.lua x=x.npy z=x.npy -o y=bad.npy --out out
check "an unknown output" 2 "'?z'?" -- "$samebits" call total.lua x=x.npy -o z=bad.npy --out out
check "call of several variants lists them" 2 "chunk" "lanes" -- "$samebits" call two.lua x=x.npy -o y=bad.npy --out out
check "an output that cannot be written" 1 "y\.npy" -- "$samebits" call total.lua x=x.npy -o y=/proc/y.npy --out out
check "an output on a full disk" 1 "/dev/full|full|space|regular" -- "$samebits" call total.lua x=x.npy -o y=/dev/full --out out

# ---- places that cannot be written ----

: >file
check "out below a regular file" 1 "file/out|file" "directory" -- "$samebits" generate total.lua --out file/out
check "out in /proc" 1 "/proc" -- "$samebits" generate total.lua --out /proc/out
many="chunk(8, seq, seq),chunk(16, seq, seq),chunk(24, seq, seq),chunk(32, seq, seq),chunk(40, seq, seq),lanes(8),lanes(16),lanes(24)"
mkdir disk
if unshare -rm sh -c 'mount -t tmpfs -o size=32k tmpfs disk' >/dev/null 2>&1; then # a mount of its own, gone with it
  check "a full disk" 1 "disk/" "space|full" -- unshare -rm sh -c \
    'mount -t tmpfs -o size=32k tmpfs disk && "$0" generate total.lua --out disk/out -a "tree=$1"; status=$?
     find disk -name "*.json" -exec python3 -m json.tool {} \; >/dev/null || status=99; exit $status' "$samebits" "$many"
else
  skipped "a full disk" "no tmpfs can be mounted here (unshare -rm is refused)"
fi
check "a file size limit" 1 "out-limit" -- bash -c 'trap "" XFSZ; ulimit -f 2; exec "$0" generate total.lua --out out-limit' "$samebits"
"$samebits" list terms >/dev/full 2>said
judge "standard output on a full disk" 1 $? "write|space|full"

# ---- interrupts ----

whole_json() { # FOLDER: every JSON file there parses
  [ -d "$1" ] || return 0
  find "$1" -name '*.json' -print0 | xargs -0 -r python3 -c 'import json, sys
for path in sys.argv[1:]:
    json.load(open(path))' >said 2>&1
}
none_left() { # WORD: no process with it on its command line
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    local left=0 line
    for line in /proc/[0-9]*/cmdline; do
      { tr '\0' ' ' <"$line" | grep -q -- "$1"; } 2>/dev/null && left=1
    done
    [ "$left" = 0 ] && return 0
    sleep 0.5
  done
  return 1
}
good | sed 's/  target = .*/  target = { "c" },\n  bench = { shape = { { rows = 64, cols = 256 } } },/' >short.lua
interrupt() { # SIGNAL SECONDS
  local folder="out-interrupt-$1-$2" name="$1 after $2 s" status
  { timeout -s "$1" -k 30 "$2" "$samebits" run short.lua --out "$folder" >said 2>&1 </dev/null; } 2>/dev/null
  status=$?
  if [ "$status" = 137 ] && [ "$1" != KILL ]; then
    fail "$name" "it did not end within 30 s"
  elif ! whole_json "$folder"; then
    fail "$name" "a file is not whole"
  elif ! none_left "$folder"; then
    fail "$name" "a child process was left behind"
  else
    pass "$name: files are whole, no process is left"
  fi
}
for after in 0.02 0.1 0.3 0.8 2 4; do interrupt INT "$after"; done
interrupt TERM 0.5
interrupt KILL 0.2
interrupt KILL 1.5
for folder in out-interrupt-INT-0.3 out-interrupt-KILL-1.5; do
  check "after $folder the work goes on where it stopped" 0 -- "$samebits" verify short.lua --out "$folder"
done
cp -rp out-interrupt-INT-0.3 out-again
touch marker
check "generating again succeeds" 0 -- "$samebits" generate short.lua --out out-again
find out-again -type f -newer marker >rewritten
that "no file is rewritten when nothing changed" test ! -s rewritten
check "generating elsewhere succeeds" 0 -- "$samebits" generate short.lua --out out-elsewhere
that "the same spec gives the same bytes in another folder" diff -r out-again/short out-elsewhere/short --exclude obj \
  --exclude certificates --exclude 'verify.json' --exclude '.ninja*' --exclude 'bench.json' --exclude 'report.html'

printf '1..%d\n' "$count"
[ "$failed" = 0 ]
