using System.Text;
using Gradus.Bundle;
using Gradus.Clients;
using Gradus.Generation.Structure.ToolCalls;

namespace Gradus.Server.Inference;

/// <summary>
/// Turns the tokens of one answer into what may be sent: text without stop texts, reasoning apart from the answer, and calls of tools. What
/// may turn out to be the beginning of a mark is held back.
/// </summary>
/// <param name="answer">Its number.</param>
/// <param name="text">Its text with the stop texts.</param>
/// <param name="reasoning">Takes reasoning apart; null where the model has none.</param>
/// <param name="calls">Takes calls apart; null where there are no tools.</param>
internal sealed class AnswerText(int answer, StreamedText text, ReasoningSplitter? reasoning, ToolCallParser? calls)
{
    private readonly List<InferencePiece> _pieces = [];
    private long _taken;

    /// <summary>Whether a stop text has come.</summary>
    public bool Stopped => text.Stopped;

    /// <summary>The stop text that has come, or null.</summary>
    public string? StopText => text.StopText;

    /// <summary>The bytes of the text that were sent or belong to a mark, from its beginning.</summary>
    public long ReleasedBytes => _taken - Encoding.UTF8.GetByteCount(reasoning?.Held ?? "");

    /// <summary>Whether the model is reasoning.</summary>
    public bool Reasons => reasoning?.IsReasoning == true;

    /// <summary>How many calls have begun.</summary>
    public int Calls => calls?.Calls ?? 0;

    /// <summary>Takes a token.</summary>
    /// <returns>What can be sent now.</returns>
    public IReadOnlyList<InferencePiece> Append(int id) => Take(text.Append(id), last: false);

    /// <summary>Ends the answer.</summary>
    /// <returns>What was held back.</returns>
    public IReadOnlyList<InferencePiece> Finish() => Take(text.Finish(), last: true);

    private List<InferencePiece> Take(string added, bool last)
    {
        _pieces.Clear();
        _taken += Encoding.UTF8.GetByteCount(added);
        if (reasoning is not null)
        {
            (string thought, added) = reasoning.Add(added, last);
            if (thought.Length > 0)
                _pieces.Add(new InferencePiece(answer) { Reasoning = thought });
        }
        if (calls is null)
        {
            if (added.Length > 0)
                _pieces.Add(new InferencePiece(answer) { Text = added });
            return _pieces;
        }
        Add(calls.Add(added));
        if (last)
            Add(calls.Finish());
        return _pieces;
    }

    private void Add(IReadOnlyList<ToolCallPiece> parsed)
    {
        foreach (ToolCallPiece piece in parsed)
            _pieces.Add(piece.Text is { } written ? new InferencePiece(answer) { Text = written } : new InferencePiece(answer) { Call = piece });
    }
}
