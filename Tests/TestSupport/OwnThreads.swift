import Foundation
import Testing

/// Runs tests on threads of their own: those of a suite that mostly waits for other programs leave
/// the threads that Swift has, one for each core, to tests that compute.
///
///     @Suite(.ownThreads) struct FlagTests { … }
public struct OwnThreads: SuiteTrait, TestTrait, TestScoping {
  /// Whether each test of a suite runs there.
  public var isRecursive: Bool { true }

  /// Runs a test.
  public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    try await withTaskExecutorPreference(Executor.shared) { try await function() }
  }

  /// Twice as many threads as cores.
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
  /// Runs the tests on threads that wait at nobody's cost.
  public static var ownThreads: OwnThreads { OwnThreads() }
}
