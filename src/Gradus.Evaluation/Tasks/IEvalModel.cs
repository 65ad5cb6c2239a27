namespace Gradus.Evaluation.Tasks;

/// <summary>Something that answers requests: a model on this machine, an endpoint, a file of answers.</summary>
public interface IEvalModel
{
    /// <summary>What tells this model from others: part of the key under which answers are kept.</summary>
    string Name { get; }

    /// <summary>What a reader should know of the last requests: lines such as how many prompts were shortened.</summary>
    IReadOnlyList<string> Notes => [];

    /// <summary>
    /// Answers requests in any order, each exactly once. Answers do not depend on what else is asked, on the order, or on the number of threads.
    /// </summary>
    /// <param name="requests">The requests.</param>
    /// <param name="answered">Takes the number of a request and its answer; called from one thread at a time.</param>
    /// <param name="cancellation">Ends the work; what was answered stays.</param>
    /// <exception cref="NotSupportedException">The model cannot answer requests of this kind; one line.</exception>
    /// <exception cref="InvalidDataException">A request does not fit the model, or an answer is not a number; one line.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    void Answer(IReadOnlyList<EvalRequest> requests, Action<int, EvalResponse> answered, CancellationToken cancellation = default);
}
