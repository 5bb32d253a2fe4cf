"""TensorFlow Lite Micro's integer arithmetic, exactly, on NumPy arrays; used to make tables.

Fixed-point numbers are gemmlowp's: a 32-bit raw value with so many integer bits. All values are
held in int64 and stay inside 32 bits, except where saturation is stated.
"""

import math

import numpy as np

INT32 = np.iinfo(np.int32)


def quantize_multiplier(real):
    """A non-negative real as (31-bit multiplier, shift): real = multiplier * 2**(shift - 31)."""
    if real == 0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def saturate(x, limits=INT32):
    return np.clip(x, limits.min, limits.max)


def high_multiply(a, b):
    """Rounded high half of the doubled product of two 32-bit values, saturating."""
    a, b = np.asarray(a, np.int64), np.asarray(b, np.int64)
    return saturate((a * b + (1 << 30)) >> 31)


def divide_by_power(x, exponent):
    """x / 2**exponent, rounded, halves away from zero."""
    x = np.asarray(x, np.int64)
    if exponent == 0:
        return x
    return (x + (1 << (exponent - 1)) - (x < 0)) >> exponent


def rescale(x, multiplier, shift):
    """A 32-bit value times a quantized multiplier, rounded twice; what is shifted left wraps."""
    left, right = max(shift, 0), max(-shift, 0)
    shifted = (np.asarray(x, np.int64) << left).astype(np.int32)
    return divide_by_power(high_multiply(shifted, multiplier), right)


def reduced_multiplier(multiplier):
    return (multiplier + (1 << 15)) >> 16 if multiplier < 0x7FFF0000 else 0x7FFF


def shift_left(x, bits):
    return saturate(np.asarray(x, np.int64) << bits)


def exp_on_negative(a, integer_bits):
    """exp of fixed-point values <= 0, with no integer bits."""
    a = np.asarray(a, np.int64)
    fractional = 31 - integer_bits
    quarter = 1 << (fractional - 2)
    part = (a & (quarter - 1)) - quarter
    x = shift_left(part, integer_bits) + (1 << 28)
    x2 = high_multiply(x, x)
    x3, x4 = high_multiply(x2, x), high_multiply(x2, x2)
    series = divide_by_power(high_multiply(divide_by_power(x4, 2) + x3, 715827883) + x2, 1)
    result = 1895147668 + high_multiply(1895147668, x + series)
    remainder = part - a
    # exp(-2**exponent) for each bit of the remainder.
    factors = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
    for exponent, factor in zip(range(-2, integer_bits), factors, strict=False):
        chosen = remainder & (1 << (fractional + exponent)) != 0
        result = np.where(chosen, high_multiply(result, factor), result)
    return np.where(a == 0, INT32.max, result)


def half_reciprocal(a):
    """2 / (1 + a) with two integer bits, for 0 <= a < 1 with none: three Newton steps."""
    total = np.asarray(a, np.int64) + INT32.max
    half = (total + 1) >> 1
    x = 1515870810 + high_multiply(half, -1010580540)
    for _ in range(3):
        x = x + shift_left(high_multiply(x, (1 << 29) - high_multiply(half, x)), 2)
    return x


def bit_length(x):
    """Bits of integers >= 0."""
    return np.frexp(np.asarray(x, np.float64))[1].astype(np.int64)


def reciprocals():
    """2**(bits - 1) / v of v = 0 ... 255, which have so many bits, with no integer bits."""
    values = np.arange(256)
    inverse = shift_left(half_reciprocal((values << (32 - bit_length(values))) - (1 << 31)), 1)
    # What Newton's steps come to, wrapping, where TFLM divides by zero.
    inverse[0] = -1515870788
    return inverse


def divide_by_any_power(x, exponent):
    """`divide_by_power` for arrays of exponents; beyond 31, where C leaves it open, as on x86."""
    mask = ((np.int64(1) << (exponent & 63)) - 1).astype(np.int32).astype(np.int64)
    return (x >> (exponent & 31)) + ((x & mask) > (mask >> 1) + (x < 0))


def divide(a, b, multiplier, shift):
    """Quotients of 9-bit integers, times a quantized multiplier."""
    a, b = np.where(b < 0, -a, a), np.abs(b)
    headroom = 31 - bit_length(np.where(a < 0, ~a, a))
    quotient = high_multiply(a << headroom, reciprocals()[b])
    exponent = bit_length(b) - 1 + headroom - shift
    return divide_by_any_power(high_multiply(quotient, multiplier), exponent)


def logistic(a, integer_bits=4):
    """Sigmoid of fixed-point values, with no integer bits."""
    a = np.asarray(a, np.int64)
    positive = shift_left(half_reciprocal(exp_on_negative(-np.abs(a), integer_bits)), 1)
    return np.where(a == 0, 1 << 30, np.where(a > 0, positive, INT32.max - positive))


def tanh(a, integer_bits=4):
    """Hyperbolic tangent of fixed-point values, with no integer bits."""
    a = np.asarray(a, np.int64)
    # Twice the argument is the same raw value with one integer bit more.
    x = half_reciprocal(exp_on_negative(-np.abs(a), integer_bits + 1))
    positive = shift_left(x - (1 << 29), 2)
    return np.where(a == 0, 0, np.where(a > 0, positive, -positive))


def input_radius(integer_bits, left_shift):
    """The least magnitude whose rescaled value leaves the range of the fixed-point input."""
    return math.floor(((1 << integer_bits) - 1) * 2 ** (31 - integer_bits) / 2**left_shift)


def inverse_square_root(value):
    """1 / sqrt of an integer >= 1 as (multiplier, right shift)."""
    if value <= 1:
        return INT32.max, 0
    shift = 11
    while value >= 1 << 29:
        value //= 4
        shift += 1
    pairs = (31 - value.bit_length()) // 2 - 1
    shift -= pairs
    value <<= 2 * pairs
    half = int(divide_by_power(value >> 1, 1))
    x = 1 << 28
    for _ in range(5):
        cube = shift_left(high_multiply(high_multiply(x, x), x), 6)
        x = shift_left(high_multiply((1 << 28) + (1 << 27), x) - high_multiply(half, cube), 3)
    multiplier = int(high_multiply(x, 1518500250))
    return (multiplier << -shift, 0) if shift < 0 else (multiplier, shift)
