#ifndef HERO_FILE_FAULTS_H
#define HERO_FILE_FAULTS_H

/// Has the program end with one clear line and status 1 where a file that it has mapped cannot be
/// read any more: it was shortened by somebody else, or its disk failed. Without this the system
/// kills it with SIGBUS and says nothing.
void hero_file_faults_install(void);

#endif
