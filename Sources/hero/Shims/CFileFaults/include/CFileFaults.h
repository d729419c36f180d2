#ifndef HERO_FILE_FAULTS_H
#define HERO_FILE_FAULTS_H

/// Makes the program end with one clear line and status 1 if a file that it has mapped becomes
/// unreadable: another process shortened it, or its disk failed. Without this the system kills the
/// program with SIGBUS and no message.
void hero_file_faults_install(void);

#endif
