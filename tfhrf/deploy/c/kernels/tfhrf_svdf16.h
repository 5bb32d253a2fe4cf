/* SVDF, states of 16 bits. */
#ifndef TFHRF_SVDF16_H_
#define TFHRF_SVDF16_H_

#include "tfhrf_int16.h"

#include "tfhrf_of16.h"
#include "tfhrf_svdf_any.h"

#endif
