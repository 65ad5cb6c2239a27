// Gao et al., "PAL: Program-aided Language Models", 2023: the model writes a program whose value is the answer. The program runs in the interpreter of our own,
// inside the sandbox. A program that fails goes back with its error. With several samples the value of most programs counts.

using System.Text.RegularExpressions;
using Gradus.Applications.Python;
using Microsoft.Extensions.AI;

namespace Gradus.Applications.Agents;

/// <summary>The model writes a program; its value is the answer.</summary>
public sealed partial class ProgramAgent : Agent
{
    private const string Instruction =
        """
        Write a Python program that computes the answer. Define a function solution() without parameters that returns the answer. Write the program alone, between ```python and ```.
        Only the standard modules for calculation are there (math, datetime, fractions, statistics, itertools, …): no files, no network.

        Question: Olivia has $23. She bought five bagels for $3 each. How much money does she have left?
        ```python
        def solution():
            money = 23
            bagels = 5
            price = 3
            return money - bagels * price
        ```
        """;

    /// <inheritdoc/>
    public override string Name => "pal";

    /// <inheritdoc/>
    public override string Description => "Program-aided: the model writes a program, its value is the answer (Gao et al., 2023).";

    private protected override async Task<string?> AnswerAsync(AgentRun run, CancellationToken cancellation)
    {
        if (!run.RunsPrograms)
            throw new InvalidOperationException("the method pal runs programs; give it a way to do so.");
        List<string> values = [];
        int samples = run.Options.Samples;
        for (int sample = 0; sample < samples; sample++)
        {
            if (await ProgramAsync(run, sample == 0 && samples == 1 ? 0 : run.Options.Temperature, cancellation).ConfigureAwait(false) is { } value)
                values.Add(value);
            if (values.Count > 0 && 2 * AnswerText.Majority(values).Votes > samples)
                break;
        }
        if (values.Count == 0)
            return null;
        (string best, int votes) = AnswerText.Majority(values);
        if (samples > 1)
            run.Decide("vote", $"{votes} of {values.Count} programs gave {best}");
        return best;
    }

    private static async Task<string?> ProgramAsync(AgentRun run, float temperature, CancellationToken cancellation)
    {
        List<ChatMessage> messages = [new(ChatRole.System, Instruction), new(ChatRole.User, $"Question: {run.Question}")];
        for (int round = 1; round <= run.Options.Rounds; round++)
        {
            ModelReply reply = await run.AskAsync("program", messages, temperature, withTools: false, [], cancellation).ConfigureAwait(false);
            messages.Add(new ChatMessage(ChatRole.Assistant, reply.Text));
            PythonResult result = await run.RunProgramAsync(SourceOf(reply.Text), "solution", cancellation).ConfigureAwait(false);
            if (result.Error is null && result.Result is { } value && value != "None")
                return Unquoted(value);
            string problem = result.Error ?? "the program gives no value: define a function solution() without parameters that returns the answer.";
            messages.Add(new ChatMessage(ChatRole.User, $"The program failed:\n{problem}\nWrite it again, the whole program, between ```python and ```."));
        }
        return null;
    }

    // The last block of code; without one the whole text.
    private static string SourceOf(string text) => Block().Matches(text).LastOrDefault() is { } block ? block.Groups[1].Value : text;

    // A text comes as Python writes it: 'Paris'.
    private static string Unquoted(string value) => value.Length >= 2 && value[0] is '\'' or '"' && value[^1] == value[0] ? value[1..^1] : value;

    [GeneratedRegex(@"```(?:python|py)?[ \t]*\r?\n(.*?)(?:```|\z)", RegexOptions.Singleline)]
    private static partial Regex Block();
}
