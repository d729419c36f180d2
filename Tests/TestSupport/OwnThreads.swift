import Foundation
import Testing

/// A trait that runs tests on threads of their own.
///
/// Swift has one thread for each core. A suite that mostly waits for other programs leaves these to
/// tests that compute.
///
///     @Suite(.ownThreads) struct FlagTests { … }
public struct OwnThreads: SuiteTrait, TestTrait, TestScoping {
  /// Whether the trait applies to each test of a suite.
  public var isRecursive: Bool { true }

  /// Runs a test on those threads.
  public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    try await withTaskExecutorPreference(Executor.shared) { try await function() }
  }

  /// An executor with twice as many threads as cores.
  private final class Executor: TaskExecutor {
    static let shared = Executor()

    private let queue = OperationQueue()

    init() { queue.maxConcurrentOperationCount = 2 * ProcessInfo.processInfo.activeProcessorCount }

    func enqueue(_ job: consuming ExecutorJob) {
      let job = UnownedJob(job)
      queue.addOperation { [self] in job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
  }
}

extension Trait where Self == OwnThreads {
  /// The trait that runs tests on threads of their own.
  public static var ownThreads: OwnThreads { OwnThreads() }
}
