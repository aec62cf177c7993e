/* Items first, first + stride, ...: `count` of them. A cut makes parts of `part` items. */
typedef struct Span {
    size_t first, count, stride, part;
} Span;

${inline} Span span_of(size_t first, size_t count, size_t stride)
{
    const Span span = {first, count, stride, 0};
    return span;
}

$ if chunks then
/* Consecutive part k; the last one may be short. */
${inline} Span chunk_at(Span s, size_t k)
{
    const size_t begin = k * s.part, left = s.count - begin;
    return span_of(s.first + begin * s.stride, left < s.part ? left : s.part, s.stride);
}

$ end
$ if lanes then
/* Item i goes to lane i mod lanes. */
${inline} Span lane_at(Span s, size_t lane, size_t lanes)
{
    return span_of(s.first + lane * s.stride, (s.count + lanes - 1 - lane) / lanes, s.stride * lanes);
}

$ end
