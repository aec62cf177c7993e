/* The 32 bits of a float as an integer. */
${storage} ${I} bits_of(${V} value)
{
    ${I} bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}
