/*
 * Programs that mptcpctl is to run, or looks at.
 */
#include <assert.h>
#include <errno.h>
#include "ctl/doctor/tls.h"
#include "ctl/image.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        int r = image_look(data, n);

        assert((r >= 0 && r <= (IMAGE_INTERP | IMAGE_GO)) || r == -ENOEXEC || r == -EBADMSG);
        assert((unsigned int)tls_of_image(data, n) < _TLS_KIND_MAX);
        return 0;
}
