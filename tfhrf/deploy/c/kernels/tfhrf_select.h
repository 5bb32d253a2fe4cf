/* SELECT_V2, 8 bits. */
#ifndef TFHRF_SELECT_H_
#define TFHRF_SELECT_H_

#include "tfhrf_common.h"

#include "tfhrf_of8.h"
#include "tfhrf_select_any.h"

#endif
