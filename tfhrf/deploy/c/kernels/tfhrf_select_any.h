/* SELECT_V2: of two matrices the values that a third one chooses, of 8-bit and 16-bit kernels. */

TFHRF_KERNEL void TFHRF_OF(select, _rows)(const int8_t *chosen, tfhrf_strides from,
                                          const TFHRF_VALUE *in1, tfhrf_strides from1,
                                          const TFHRF_VALUE *in2, tfhrf_strides from2,
                                          TFHRF_VALUE *out, tfhrf_strides to, int32_t rows,
                                          int32_t columns)
{
    for (; rows > 0; --rows) {
        for (int32_t i = 0; i < columns; ++i) {
            out[i * to.step] =
                chosen[i * from.step] != 0 ? in1[i * from1.step] : in2[i * from2.step];
        }
        chosen += from.row;
        in1 += from1.row;
        in2 += from2.row;
        out += to.row;
    }
}
