#include "option.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

const struct policy_option policy_options[_POLICY_OPTION_MAX] = {
        [POLICY_OPTION_CONGESTION] = { "congestion", POLICY_OPTION_TEXT, IPPROTO_TCP,
                                       TCP_CONGESTION },
        [POLICY_OPTION_NODELAY] = { "nodelay", POLICY_OPTION_SWITCH, IPPROTO_TCP, TCP_NODELAY },
        [POLICY_OPTION_KEEPALIVE] = { "keepalive", POLICY_OPTION_SWITCH, SOL_SOCKET, SO_KEEPALIVE },
        [POLICY_OPTION_SEND_BUFFER] = { "send_buffer", POLICY_OPTION_NUMBER, SOL_SOCKET,
                                        SO_SNDBUF },
        [POLICY_OPTION_RECEIVE_BUFFER] = { "receive_buffer", POLICY_OPTION_NUMBER, SOL_SOCKET,
                                           SO_RCVBUF },
        [POLICY_OPTION_MARK] = { "mark", POLICY_OPTION_NUMBER, SOL_SOCKET, SO_MARK },
        [POLICY_OPTION_TOS] = { "tos", POLICY_OPTION_NUMBER, IPPROTO_IP, IP_TOS },
        [POLICY_OPTION_PRIORITY] = { "priority", POLICY_OPTION_NUMBER, SOL_SOCKET, SO_PRIORITY },
};
