int ${symbol}_call(const float *const *inputs, float *const *outputs, const size_t *sizes, const float *params, size_t first,
    size_t count, MPI_Comm comm)
{
    (void)params;
    return ${symbol}(${call_arguments}, first, count, comm);
}

/* ---- a program of its own: canonical data, and a digest that is the same for every number of ranks ---- */

typedef struct Tensor {
    int dims, dim[${dims_limit}];
} Tensor;

static const Tensor inputs_of_program[] = {${input_tensors}}, outputs_of_program[] = {${output_tensors}};
enum { SIZES = ${size_count}, INPUTS = ${input_count}, OUTPUTS = ${output_count}, SPREAD = ${spread_dim} };

/* Indices before, along and behind the distributed dim; `along` is 0 where the tensor has no such dim. */
typedef struct Extent {
    size_t before, along, behind;
} Extent;

static Extent extent_of(const Tensor *tensor, const size_t *sizes)
{
    Extent extent = {1, 0, 1};
    for (int i = 0; i < tensor->dims; i++) {
        if (tensor->dim[i] == SPREAD)
            extent.along = 1;
        else if (extent.along)
            extent.behind *= sizes[tensor->dim[i]];
        else
            extent.before *= sizes[tensor->dim[i]];
    }
    return extent;
}

static uint64_t mixed(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Element i of a stream: the sum of twelve 32-bit integers of a counter generator, about N(0, 1). */
static float canonical(uint64_t seed, uint64_t i)
{
    const uint64_t key = mixed(seed + mixed(1));
    uint64_t sum = 0;
    for (uint64_t w = 0; w < 6; w++) {
        const uint64_t random = mixed(key + (i * 8 + w + 1) * 0x9e3779b97f4a7c15u);
        sum += (random >> 32) + (random & 0xffffffffu);
    }
    return (float)((int64_t)sum - 6 * (int64_t)0xffffffff) * 0x1p-32f;
}

/* Visits the elements that this rank has: fills them, or adds them to a digest in which their order does not matter. */
static uint64_t elements_visit(float *data, Extent extent, size_t size, size_t first, size_t count, uint64_t seed)
{
    uint64_t digest = 0;
    const size_t along = extent.along ? count : 1, all = extent.along ? size : 1, from = extent.along ? first : 0;
    for (size_t i = 0; i < extent.before * along * extent.behind; i++) {
        const size_t row = i / (along * extent.behind), rest = i % (along * extent.behind);
        const uint64_t place = (row * all + from) * extent.behind + rest;
        uint32_t word;
        if (seed)
            data[i] = canonical(seed, place);
        memcpy(&word, &data[i], sizeof word);
        word = data[i] != data[i] ? 0x7fc00000u : word; /* a NaN is a NaN */
        digest += mixed(mixed(place + 1) ^ word);
    }
    return digest;
}

static float *elements_make(const Tensor *tensor, const size_t *sizes, size_t first, size_t count, uint64_t seed)
{
    const Extent extent = extent_of(tensor, sizes);
    float *data = malloc((extent.before * (extent.along ? count : 1) * extent.behind + 1) * sizeof *data);
    if (data && seed)
        elements_visit(data, extent, sizes[SPREAD], first, count, seed);
    return data;
}

/* Own parts of the axis: as even as they get, but those of the ranks that the command names. */
static void own_indices(int argc, char **argv, const size_t *sizes, int rank, int ranks, size_t *first, size_t *count)
{
    const size_t size = sizes[SPREAD], part = ${program_part}, parts = size / part + (size % part > 0);
    size_t begin = 0, end = 0;
    for (int r = 0; r <= rank; r++) {
        const size_t left = parts - end, named = 1 + SIZES + (size_t)r;
        begin = end;
        end += named < (size_t)argc && r + 1 < ranks ? strtoull(argv[named], NULL, 10) : left / (size_t)(ranks - r);
        end = end > parts ? parts : end;
    }
    *first = begin * part < size ? begin * part : size;
    *count = (end * part < size ? end * part : size) - *first;
}

static uint64_t outputs_digest(float **outputs, const size_t *sizes, size_t first, size_t count, int rank)
{
    uint64_t digest = 0;
    for (int o = 0; o < OUTPUTS; o++) {
        const Extent extent = extent_of(&outputs_of_program[o], sizes);
        const uint64_t own = elements_visit(outputs[o], extent, sizes[SPREAD], first, count, 0);
        digest += extent.along || rank == 0 ? own * (2 * (uint64_t)o + 1) : 0;
    }
    return digest;
}

__attribute__((weak)) int main(int argc, char **argv)
{
    float *inputs[INPUTS + 1], *outputs[OUTPUTS + 1];
    size_t sizes[SIZES + 1], first, count;
    const float params[] = {${param_defaults}};
    int rank, ranks, there = 1;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (argc < 1 + SIZES) {
        if (rank == 0)
            fprintf(stderr, "usage: mpirun -np RANKS %s ${usage} [PARTS_OF_RANK_0 PARTS_OF_RANK_1 ...]\n", argv[0]);
        MPI_Finalize();
        return 2;
    }
    for (int d = 0; d < SIZES; d++)
        sizes[d] = strtoull(argv[1 + d], NULL, 10);
    own_indices(argc, argv, sizes, rank, ranks, &first, &count);
    for (int i = 0; i < INPUTS; i++)
        there &= (inputs[i] = elements_make(&inputs_of_program[i], sizes, first, count, (uint64_t)i + 1)) != NULL;
    for (int o = 0; o < OUTPUTS; o++)
        there &= (outputs[o] = elements_make(&outputs_of_program[o], sizes, first, count, 0)) != NULL;
    if (!there)
        MPI_Abort(MPI_COMM_WORLD, 1);
    const int code =
        ${symbol}_call((const float *const *)inputs, outputs, sizes, params, first, count, MPI_COMM_WORLD);
    uint64_t own = code ? 0 : outputs_digest(outputs, sizes, first, count, rank), digest = 0;
    MPI_Reduce(&own, &digest, 1, MPI_UINT64_T, MPI_SUM, 0, MPI_COMM_WORLD);
    if (code)
        fprintf(stderr, "rank %d: code %d\n", rank, code);
    else if (rank == 0)
        printf("digest %016llx\n", (unsigned long long)digest);
    for (int i = 0; i < INPUTS; i++)
        free(inputs[i]);
    for (int o = 0; o < OUTPUTS; o++)
        free(outputs[o]);
    MPI_Finalize();
    return code != 0;
}
