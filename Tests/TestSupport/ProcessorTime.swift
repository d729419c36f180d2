import Foundation

/// The time that the processor spends on this thread, which other programs on the machine do not lengthen.
public enum ProcessorTime {
  /// Seconds that `body` takes.
  public static func measure(_ body: () throws -> Void) rethrows -> Double {
    let start = now()
    try body()
    return now() - start
  }

  private static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
