/*
 * What the kernel would do with a packet: no table is read, the kernel itself is asked, with all
 * its rules, tables and filters.
 */
#pragma once

/*
 * Is there a way from a local address to a remote one, both of that family and in text, over that
 * interface? 0; -ENETUNREACH, -EHOSTUNREACH: there is none; or another negative errno.
 */
int route_out(int family, const char *local, const char *remote, int ifindex);

/*
 * Would the answer be let in there? 0; or a negative errno: where the reverse path filter drops
 * it, -EXDEV or, as Linux 6.18 has it, -EINVAL, which has other reasons as well.
 */
int route_back(int family, const char *local, const char *remote, int ifindex);
