using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gradus.Server.Inference;

/// <summary>A call of a tool in a whole answer.</summary>
/// <param name="Id">The call's name for its result.</param>
/// <param name="Name">The tool.</param>
/// <param name="Arguments">Its arguments, JSON.</param>
internal sealed record CollectedCall(string Id, string Name, string Arguments)
{
    /// <summary>The arguments as an object; an empty one where the call was cut off.</summary>
    public JsonObject ArgumentsObject()
    {
        try
        {
            return JsonNode.Parse(Arguments) as JsonObject ?? [];
        }
        catch (JsonException)
        {
            return [];
        }
    }
}

/// <summary>One whole answer, put together of its pieces.</summary>
internal sealed class CollectedAnswer
{
    private readonly StringBuilder _text = new();
    private readonly StringBuilder _reasoning = new();
    private readonly List<(string Id, string Name, StringBuilder Arguments)> _calls = [];

    public string Text => _text.ToString();

    public string Reasoning => _reasoning.ToString();

    public IReadOnlyList<CollectedCall> Calls => [.. _calls.Select(c => new CollectedCall(c.Id, c.Name, c.Arguments.ToString()))];

    /// <summary>The tokens of the text; those of the last piece, such as the end token, apart.</summary>
    public List<ScoredToken> Tokens { get; } = [];

    public IReadOnlyList<ScoredToken> EndTokens { get; private set; } = [];

    public AnswerSummary End { get; private set; } = new(AnswerEnd.Stop, null, 0, 0, 0);

    /// <summary>All answers to a request.</summary>
    public static async Task<CollectedAnswer[]> Collect(IAsyncEnumerable<InferencePiece> pieces, int count)
    {
        CollectedAnswer[] answers = [.. Enumerable.Range(0, count).Select(_ => new CollectedAnswer())];
        await foreach (InferencePiece piece in pieces.ConfigureAwait(false))
            answers[piece.Answer].Add(piece);
        return answers;
    }

    public void Add(InferencePiece piece)
    {
        _text.Append(piece.Text);
        _reasoning.Append(piece.Reasoning);
        if (piece.Call is { Name: { } name })
            _calls.Add((NewCallId(), name, new StringBuilder()));
        if (piece.Call is { Arguments: { } arguments })
            _calls[^1].Arguments.Append(arguments);
        if (piece.End is { } end)
            (End, EndTokens) = (end, piece.Tokens);
        else
            Tokens.AddRange(piece.Tokens);
    }

    /// <summary>A new name for a call.</summary>
    public static string NewCallId() => $"call_{Guid.NewGuid():N}"[..29];
}
