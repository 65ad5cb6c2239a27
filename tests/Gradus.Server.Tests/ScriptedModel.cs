using System.Runtime.CompilerServices;
using System.Text;
using Gradus.Server.Inference;

namespace Gradus.Server.Tests;

/// <summary>A model whose answers a test has written: given the last message (with what the answer begins with), it says the rest, a few characters at a time.</summary>
internal sealed class ScriptedModel(Func<string, string> answer, TimeSpan? pause = null) : IInferenceModel
{
    public int ContextLength => 4096;

    public IReadOnlyList<string> Adapters => [];

    public ModelLoad Load => new(0, 0, 0, 0, 0, 0, 0);

    public int[] Tokenize(InferencePrompt prompt, string? adapter = null) => new int[((ConversationPrompt)prompt).Messages.Sum(m => m.Text?.Length ?? 0)];

    public InferenceRun Start(InferenceRequest request, CancellationToken cancellation)
    {
        ConversationPrompt prompt = (ConversationPrompt)request.Prompt;
        return new InferenceRun(Tokenize(prompt), request.Greedy ? null : request.Seed ?? 7, Pieces(answer(prompt.Messages[^1].Text + prompt.Prefill), cancellation));
    }

    public void Dispose()
    {
    }

    private async IAsyncEnumerable<InferencePiece> Pieces(string text, [EnumeratorCancellation] CancellationToken cancellation)
    {
        int tokens = 0;
        foreach (char[] part in text.Chunk(4))
        {
            if (pause is { } wait)
                await Task.Delay(wait, cancellation);
            string piece = new(part);
            ScoredToken Token(string t, float p) => new(tokens, Encoding.UTF8.GetBytes(t), t, p, []);
            yield return new InferencePiece(0) { Text = piece, Tokens = [Token(piece, -0.2f) with { Alternatives = [Token(piece, -0.2f), Token("ELSE", -2f)] }] };
            tokens++;
        }
        yield return new InferencePiece(0) { End = new AnswerSummary(AnswerEnd.Stop, null, tokens, 0, 0) };
    }
}
