/*
 * turncat - a tunnel through a TURN server: what arrives locally goes to the peer, and what comes from the peer goes back.
 */
#ifndef UTURN_TURNCAT_TURNCAT_H
#define UTURN_TURNCAT_TURNCAT_H

/* The whole program. Returns its exit status (options.h). */
int turncat_main(int argc, char **argv);

#endif
