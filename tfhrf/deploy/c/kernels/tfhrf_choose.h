/* MAXIMUM and MINIMUM, 8 bits. */
#ifndef TFHRF_CHOOSE_H_
#define TFHRF_CHOOSE_H_

#include "tfhrf_common.h"

#include "tfhrf_of8.h"
#include "tfhrf_choose_any.h"

#endif
