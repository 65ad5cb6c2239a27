// Source: Liang et al., "Holistic Evaluation of Language Models", 2022, https://arxiv.org/abs/2211.09110, robustness: the same questions, changed in
// ways that do not change their meaning, and how far the score moves.

using System.Text;
using Gradus.Tensors;

namespace Gradus.Evaluation.Tasks;

/// <summary>A change of a prompt that keeps its meaning.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Change">The change; the same prompt is always changed in the same way.</param>
public sealed record Perturbation(string Name, Func<string, string> Change)
{
    /// <summary>Typing mistakes, lower case, upper case, doubled spaces, no punctuation at the ends of sentences.</summary>
    public static IReadOnlyList<Perturbation> All { get; } =
    [
        new("typos", Typos),
        new("lower", text => text.ToLowerInvariant()),
        new("upper", text => text.ToUpperInvariant()),
        new("spaces", text => text.Replace(" ", "  ", StringComparison.Ordinal)),
        new("unpunctuated", text => text.Replace(". ", " ", StringComparison.Ordinal).Replace("? ", " ", StringComparison.Ordinal).Replace(", ", " ", StringComparison.Ordinal)),
    ];

    /// <summary>The change of a name.</summary>
    /// <exception cref="InvalidDataException">There is none; the message lists those there are.</exception>
    public static Perturbation Get(string name) => All.FirstOrDefault(p => p.Name == name)
        ?? throw new InvalidDataException($"robustness: \"{name}\" is unknown; known are {string.Join(", ", All.Select(p => p.Name))}.");

    // In every tenth word of four letters or more two neighbouring letters within it change places.
    private static string Typos(string text)
    {
        StringBuilder changed = new(text);
        ulong key = CounterRandom.Derive(7, text);
        int word = 0;
        for (int start = 0; start < changed.Length; start++)
        {
            int end = start;
            while (end < changed.Length && char.IsAsciiLetter(changed[end]))
                end++;
            if (end - start >= 4 && CounterRandom.Below(key, 2L * word, 10) == 0)
            {
                int at = start + 1 + CounterRandom.Below(key, (2L * word) + 1, end - start - 2);
                (changed[at], changed[at + 1]) = (changed[at + 1], changed[at]);
            }
            word++;
            start = Math.Max(start, end);
        }
        return changed.ToString();
    }
}

/// <summary>A task whose prompts are changed; what is scored, and how, stays the same.</summary>
/// <param name="task">The task.</param>
/// <param name="perturbation">The change.</param>
public sealed class PerturbedTask(EvalTask task, Perturbation perturbation) : EvalTask
{
    /// <inheritdoc/>
    public override string Name => $"{task.Name}+{perturbation.Name}";

    /// <inheritdoc/>
    public override string Version => task.Version;

    /// <inheritdoc/>
    public override double? Chance => task.Chance;

    /// <inheritdoc/>
    public override IReadOnlyList<TaskMetric> Metrics => task.Metrics;

    /// <inheritdoc/>
    public override IReadOnlyList<EvalExample> Prepare(EvalOptions options) =>
        [.. task.Prepare(options).Select(e => e with { Requests = [.. e.Requests.Select(Changed)] })];

    /// <inheritdoc/>
    public override IReadOnlyList<FilteredScores> Score(EvalExample example, IReadOnlyList<EvalResponse> responses) => task.Score(example, responses);

    private EvalRequest Changed(EvalRequest request) => request switch
    {
        LogLikelihoodRequest likelihood => likelihood with { Context = perturbation.Change(likelihood.Context) },
        GenerateRequest { Messages: null } generate => generate with { Context = perturbation.Change(generate.Context) },
        _ => request,
    };
}
