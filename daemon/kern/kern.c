/*
 * What all implementations of the kernel have in common. See kern.h.
 */
#include "kern.h"

void kern_free(struct kern *kern) {
        if (kern)
                kern->ops->free(kern);
}
