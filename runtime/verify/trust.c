/* trust.c: how far a verification went: what was really executed, and on what. A result says no more than
 * that. */
#include "verify/variant.h"

#include "driver/modules.h"
#include "mpi/mpirun.h"

static const char *executed(const Verified *verified, const char *text, ModuleRow row)
{
    Arena *arena = verified->arena;
    if ((verified->builds_equal >> row & 1) == 0)
        return text;
    const char *compiler = module_compiler_name(arena, row);
    return arena_printf(arena, "%s%s%s", text, *text ? ", " : "", compiler);
}

const char *verified_trust(const Verified *verified)
{
    if (verified->not_here != NULL || verified->canonical == NULL)
        return "";
    const char *why = NULL;
    const Mpi *mpi = verified->variant->target->ranks ? mpi_find(verified->arena, &why) : NULL;
    if (mpi != NULL)
        return arena_printf(verified->arena, "run on this CPU by ranks of %s", mpi->library_version);
    if (!verified->variant->target->gpu)
        return "run on this CPU";
    const char *compilers = executed(verified, executed(verified, "", MODULE_PTX), MODULE_PTX_NVCC);
    return *compilers ? arena_printf(verified->arena, "source emulated, PTX executed (%s)", compilers)
                      : "source emulated";
}
