/* Stands in for ESP-IDF's header. */
#ifndef GPIO_H_
#define GPIO_H_

typedef enum { GPIO_NUM_NC = -1, GPIO_NUM_4 = 4, GPIO_NUM_5, GPIO_NUM_6 } gpio_num_t;

#endif
