/* SELECT_V2, 16 bits. */
#ifndef TFHRF_SELECT16_H_
#define TFHRF_SELECT16_H_

#include "tfhrf_common.h"

#include "tfhrf_of16.h"
#include "tfhrf_select_any.h"

#endif
