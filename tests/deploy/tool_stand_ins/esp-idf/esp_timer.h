/* Stands in for ESP-IDF's header. */
#ifndef ESP_TIMER_H_
#define ESP_TIMER_H_

#include <stdint.h>

int64_t esp_timer_get_time(void);

#endif
