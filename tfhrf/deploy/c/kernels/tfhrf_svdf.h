/* SVDF, states of 8 bits. */
#ifndef TFHRF_SVDF_H_
#define TFHRF_SVDF_H_

#include "tfhrf_common.h"

#include "tfhrf_of8.h"
#include "tfhrf_svdf_any.h"

#endif
