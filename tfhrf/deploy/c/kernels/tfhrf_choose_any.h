/* MAXIMUM and MINIMUM of two matrices, of 8-bit and 16-bit kernels. */

TFHRF_KERNEL void TFHRF_OF(choose, _rows)(const TFHRF_VALUE *in1, tfhrf_strides from1,
                                          const TFHRF_VALUE *in2, tfhrf_strides from2,
                                          TFHRF_VALUE *out, tfhrf_strides to, int32_t rows,
                                          int32_t columns, int32_t larger)
{
    for (; rows > 0; --rows) {
        for (int32_t i = 0; i < columns; ++i) {
            const TFHRF_VALUE a = in1[i * from1.step];
            const TFHRF_VALUE b = in2[i * from2.step];
            out[i * to.step] = (a > b) == (larger != 0) ? a : b;
        }
        in1 += from1.row;
        in2 += from2.row;
        out += to.row;
    }
}
