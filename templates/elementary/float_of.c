/* The float whose 32 bits are those of an integer. */
${storage} ${V} float_of(${I} bits)
{
    ${V} value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
