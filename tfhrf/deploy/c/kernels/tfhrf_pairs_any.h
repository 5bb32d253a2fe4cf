/* Loops over two matrices that make one, of 8-bit and 16-bit kernels. */

typedef TFHRF_VALUE TFHRF_OF(function, )(int32_t a, int32_t b, const void *p);

TFHRF_INLINE void TFHRF_OF(pairs, )(const TFHRF_VALUE *in1, tfhrf_strides from1,
                                    const TFHRF_VALUE *in2, tfhrf_strides from2, TFHRF_VALUE *out,
                                    tfhrf_strides to, int32_t rows, const int32_t *columns,
                                    TFHRF_OF(function, ) *function, const void *p)
{
    for (; rows > 0; --rows) {
        const TFHRF_VALUE *x1 = in1;
        const TFHRF_VALUE *x2 = in2;
        TFHRF_VALUE *y = out;
        for (int32_t left = *columns; left > 0; --left) {
            *y = function(*x1, *x2, p);
            x1 += from1.step;
            x2 += from2.step;
            y += to.step;
        }
        in1 += from1.row;
        in2 += from2.row;
        out += to.row;
    }
}
