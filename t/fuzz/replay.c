
/*
 * Copyright (C) ngx_sentry authors
 *
 * Runs a fuzzer's harness once on each file it is given, without libFuzzer.
 * Names each before it is run: the last name is the one that failed.
 */


#include "fuzz.h"


#define REPLAY_MAX             (1024 * 1024)


int
main(int argc, char **argv)
{
    int             i;
    FILE           *file;
    size_t          len;
    snx_str_t       input;
    unsigned char  *buf;

    buf = fuzz_memory(REPLAY_MAX);

    for (i = 1; i < argc; i++) {
        printf("%s\n", argv[i]);
        fflush(stdout);

        file = fopen(argv[i], "rb");

        if (file == NULL) {
            perror(argv[i]);
            return 1;
        }

        len = fread(buf, 1, REPLAY_MAX, file);
        fclose(file);

        input = fuzz_copy(snx_str(buf, len));
        (void) LLVMFuzzerTestOneInput(input.data, input.len);
        fuzz_free(input);
    }

    free(buf);
    printf("%d inputs\n", argc - 1);

    return 0;
}
