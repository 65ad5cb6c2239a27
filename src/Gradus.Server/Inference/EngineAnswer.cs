using System.Threading.Channels;
using Gradus.Generation;

namespace Gradus.Server.Inference;

/// <summary>One answer of an <see cref="EngineModel"/>: reads the engine's tokens and writes pieces.</summary>
internal sealed class EngineAnswer(int answer, InferenceRequest request, GenerationStream stream, PromptFormat format, AnswerText text)
{
    private readonly Queue<(ScoredToken Token, long Start)> _pending = [];
    private readonly List<ScoredToken> _ready = [];
    private readonly List<InferencePiece> _heldBack = [];
    private long _written;
    private int _tokens, _reasoning;
    private ScoredToken? _endToken;

    /// <summary>Writes all pieces of the answer.</summary>
    public async Task Write(ChannelWriter<InferencePiece> output, CancellationToken cancellation)
    {
        // The prompt's log-probabilities are known when all is done; what comes before them would be out of order.
        bool waits = request.Echo && request.PromptLogProbabilities;
        if (request.Echo && !waits)
            Send(new InferencePiece(answer) { Text = PromptText() }, output, false);
        await foreach (GeneratedToken token in stream.WithCancellation(cancellation).ConfigureAwait(false))
        {
            _tokens++;
            ScoredToken? scored = request.LogProbabilities ? format.Score(token.Id, token.LogProbability, token.Alternatives) : null;
            if (stream.Request.StopTokens.Contains(token.Id))
            {
                _endToken = scored;
                continue;
            }
            if (scored is not null)
                _pending.Enqueue((scored, _written));
            _written += scored is null ? 0 : format.Length(token.Id);
            IReadOnlyList<InferencePiece> pieces = text.Append(token.Id);
            _reasoning += text.Reasons ? 1 : 0;
            foreach (InferencePiece piece in WithTokens(pieces, text.ReleasedBytes))
                Send(piece, output, waits);
            if (text.Stopped)
                break;
        }
        if (text.Stopped)
            stream.Cancel();
        GenerationResult result = await stream.Completion.ConfigureAwait(false);
        if (result.Finish == FinishReason.Cancelled && !text.Stopped)
            throw new OperationCanceledException(cancellation);
        foreach (InferencePiece piece in WithTokens(text.Finish(), text.Stopped ? text.ReleasedBytes : long.MaxValue))
            Send(piece, output, waits);
        if (waits)
            Send(new InferencePiece(answer) { Text = PromptText(), Tokens = PromptTokens(result) }, output, false);
        foreach (InferencePiece piece in _heldBack)
            Send(piece, output, false);
        Send(new InferencePiece(answer) { Tokens = Left(), End = Summary(result) }, output, false);
    }

    private void Send(InferencePiece piece, ChannelWriter<InferencePiece> output, bool waits)
    {
        if (waits)
            _heldBack.Add(piece);
        else
            output.TryWrite(piece);
    }

    /// <summary>Gives pieces of text the tokens that wrote them.</summary>
    private IEnumerable<InferencePiece> WithTokens(IReadOnlyList<InferencePiece> pieces, long released)
    {
        while (_pending.TryPeek(out (ScoredToken Token, long Start) next) && next.Start < released)
            _ready.Add(_pending.Dequeue().Token);
        int last = -1;
        for (int i = 0; i < pieces.Count; i++)
        {
            if (pieces[i].Text.Length > 0)
                last = i;
        }
        ScoredToken[] tokens = [.. _ready];
        // Tokens of reasoning and calls are no part of the text.
        if (last >= 0 || text.Reasons || pieces.Count > 0)
            _ready.Clear();
        return pieces.Select((piece, i) => i == last ? piece with { Tokens = tokens } : piece);
    }

    // What is no text but belongs to the sequence: the token that ended it.
    private ScoredToken[] Left() => _endToken is null ? [] : [_endToken];

    private string PromptText() => request.Prompt switch
    {
        TextPrompt prompt => prompt.Text,
        _ => format.Decode(stream.Request.Prompt),
    };

    private ScoredToken[] PromptTokens(GenerationResult result) =>
        [.. stream.Request.Prompt.Select((id, i) => format.Score(id, i == 0 ? null : result.PromptLogProbabilities[i - 1], i == 0 ? [] : result.PromptAlternatives[i - 1]))];

    private AnswerSummary Summary(GenerationResult result)
    {
        AnswerEnd reason = !text.Stopped && result.Finish is FinishReason.Length or FinishReason.ContextFull ? AnswerEnd.Length
            : text.Calls > 0 ? AnswerEnd.ToolCalls
            : AnswerEnd.Stop;
        return new AnswerSummary(reason, text.StopText, _tokens, _reasoning, result.CachedTokens);
    }
}
