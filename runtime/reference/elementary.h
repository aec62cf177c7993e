/* elementary.h: reference copies of the elementary functions, written a second time in plain scalar C
 * from docs/elementary.md. Kernels spell the same sequences from templates/elementary/. */
#ifndef SAMEBITS_ELEMENTARY_H
#define SAMEBITS_ELEMENTARY_H

float reference_exp(float x);
float reference_log(float x);
float reference_maximum(float a, float b); /* IEEE 754-2019 maximum: any NaN gives NaN; +0 above -0 */
float reference_minimum(float a, float b);

#endif
