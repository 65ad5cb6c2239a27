using Microsoft.Extensions.AI;

namespace Gradus.Applications.Agents;

/// <summary>A way to answer a question with a model that is asked more than once, or may use tools and programs.</summary>
public abstract class Agent
{
    /// <summary>Every method; a new one is a file and a line here.</summary>
    public static IReadOnlyList<Agent> All { get; } =
    [
        new ChainOfThoughtAgent(), new SelfConsistencyAgent(), new ReActAgent(), new FallbackAgent(reactFirst: true), new FallbackAgent(reactFirst: false), new ToolCallingAgent(),
        new PlanAndExecuteAgent(), new ReflectionAgent(), new ProgramAgent(),
    ];

    /// <summary>The method's name.</summary>
    public abstract string Name { get; }

    /// <summary>What it does, in one line, with its source.</summary>
    public abstract string Description { get; }

    /// <summary>The method of a name.</summary>
    /// <exception cref="ArgumentException">There is none; the message lists them.</exception>
    public static Agent Find(string name) =>
        All.FirstOrDefault(agent => agent.Name == name) ?? throw new ArgumentException($"there is no method called {name}; there are {string.Join(", ", All.Select(a => a.Name))}.");

    /// <summary>Answers a question.</summary>
    /// <param name="question">The question.</param>
    /// <param name="client">The model.</param>
    /// <param name="tools">The tools it may use; null for none.</param>
    /// <param name="options">What it may use; the defaults where null.</param>
    /// <param name="programs">Runs programs; null where it may run none.</param>
    /// <param name="resume">A trace of the same question that was not finished.</param>
    /// <param name="onStep">Is shown every new step at once.</param>
    /// <param name="cancellation">Ends the work; the steps until then were shown.</param>
    /// <returns>All steps, and the answer or why there is none.</returns>
    /// <exception cref="InvalidDataException">The trace to resume is of something else.</exception>
    public async Task<AgentTrace> RunAsync(
        string question, IChatClient client, ToolBox? tools = null, AgentOptions? options = null, ProgramRunner? programs = null, AgentTrace? resume = null,
        Action<AgentStep>? onStep = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(question);
        ArgumentNullException.ThrowIfNull(client);
        options ??= new AgentOptions();
        options.Validate();
        if (resume is not null && (resume.Question, resume.Method, resume.Seed) != (question, Name, options.Seed))
            throw new InvalidDataException("the trace cannot be resumed: its question, method or seed is another.");
        AgentRun run = new(question, client, tools ?? ToolBox.Empty, options, programs, resume?.Steps ?? [], onStep);
        try
        {
            string? answer = await AnswerAsync(run, cancellation).ConfigureAwait(false);
            return answer is null
                ? new AgentTrace(Name, question, options.Seed, run.Steps, AgentEnd.NoAnswer, null, "the model gave no answer in the form that was asked for.")
                : new AgentTrace(Name, question, options.Seed, run.Steps, AgentEnd.Answered, answer, null);
        }
        catch (AgentStoppedException e)
        {
            return new AgentTrace(Name, question, options.Seed, run.Steps, e.End, null, e.Message);
        }
    }

    /// <summary>The method: the answer, or null where it found none.</summary>
    private protected abstract Task<string?> AnswerAsync(AgentRun run, CancellationToken cancellation);
}
