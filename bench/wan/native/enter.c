// enter NAMESPACE COMMAND...: runs a command in a network namespace, and ends it when whoever
// started it is gone.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int count, char** words) {
  if (count < 3) return 2;
  const int fd = open(words[1], O_RDONLY | O_CLOEXEC);
  if (fd < 0 || setns(fd, CLONE_NEWNET) < 0) {
    perror(words[1]);
    return 1;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  execvp(words[2], words + 2);
  perror(words[2]);
  return 1;
}
