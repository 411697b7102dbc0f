/* A shared object, but no plugin. */
int fixture_nothing(void);

int fixture_nothing(void) {
        return 0;
}
