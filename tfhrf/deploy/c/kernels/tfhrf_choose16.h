/* MAXIMUM and MINIMUM, 16 bits. */
#ifndef TFHRF_CHOOSE16_H_
#define TFHRF_CHOOSE16_H_

#include "tfhrf_common.h"

#include "tfhrf_of16.h"
#include "tfhrf_choose_any.h"

#endif
