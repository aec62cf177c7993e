$ -- The file names what it needs by itself, so that any flags do: instruction sets, and no contraction.
#if defined(__clang__)
#pragma clang fp contract(off)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC target("avx2,fma")
#pragma GCC optimize("fp-contract=off", "no-math-errno")
#endif
