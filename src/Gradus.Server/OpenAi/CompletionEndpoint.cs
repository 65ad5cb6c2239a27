using System.Text.Json.Nodes;
using System.Threading.Channels;
using Gradus.Server.Http;
using Gradus.Server.Inference;
using Microsoft.AspNetCore.Http;

namespace Gradus.Server.OpenAi;

/// <summary><c>POST /v1/completions</c>: texts and tokens as they stand, several at once, with the prompt's log-probabilities where they are asked for.</summary>
internal sealed class CompletionEndpoint(InferenceService service)
{
    private const int MostPrompts = 2048;
    private const int MostAlternatives = 100;

    public async Task Answer(HttpContext context)
    {
        JsonField body = await JsonAnswer.Read(context).ConfigureAwait(false);
        (InferenceRequest Request, IReadOnlyList<InferencePrompt> Prompts, bool Stream, bool IncludeUsage) asked = Read(body);
        List<InferenceSession> sessions = [];
        try
        {
            foreach (InferencePrompt prompt in asked.Prompts)
                sessions.Add(await service.Begin(context, body.Text("model"), asked.Request with { Prompt = prompt }).ConfigureAwait(false));
            CompletionAnswer answer = new(sessions, service.Options.Build, asked.IncludeUsage);
            if (asked.Stream)
                await Stream(context, sessions, answer, asked.IncludeUsage).ConfigureAwait(false);
            else
                await JsonAnswer.Write(context, answer.Whole(await Task.WhenAll(sessions.Select(s => s.Collect(context.RequestAborted))).ConfigureAwait(false))).ConfigureAwait(false);
        }
        finally
        {
            sessions.ForEach(s => s.Dispose());
        }
    }

    private static (InferenceRequest Request, IReadOnlyList<InferencePrompt> Prompts, bool Stream, bool IncludeUsage) Read(JsonField body)
    {
        if (body.Text("suffix") is { Length: > 0 })
            throw ApiException.Invalid("suffix", "Unsupported parameter: 'suffix'.", "unsupported_parameter");
        IReadOnlyList<InferencePrompt> prompts = Prompts(body.Get("prompt"), body.Flag("add_special_tokens") ?? true);
        int? scores = (int?)body.Whole("logprobs", 0, MostAlternatives);
        bool echo = body.Flag("echo") ?? false;
        InferenceRequest request = SamplingFields.Apply(body, new InferenceRequest(prompts[0])) with
        {
            MaxTokens = (int)(body.Whole("max_tokens", 0, int.MaxValue) ?? 16),
            LogProbabilities = scores is not null,
            Alternatives = scores ?? 0,
            PromptLogProbabilities = echo && scores is not null,
            Echo = echo,
            Structure = SamplingFields.Structure(body),
        };
        if (body.Whole("best_of", 1, 128) is { } best && best != request.Count)
            throw ApiException.Invalid("best_of", "Unsupported value for 'best_of': it has to equal 'n'.", "unsupported_parameter");
        return (request, prompts, body.Flag("stream") ?? false, body.Find("stream_options")?.AsObject().Flag("include_usage") ?? false);
    }

    // A text, tokens, or a list of either.
    private static IReadOnlyList<InferencePrompt> Prompts(JsonField prompt, bool special)
    {
        if (prompt.IsText)
            return [new TextPrompt(prompt.AsText(), special)];
        JsonField[] elements = [.. prompt.Elements()];
        if (elements.Length is 0 or > MostPrompts && !(elements.Length > 0 && elements[0].IsNumber))
            throw ApiException.Invalid(prompt.Path, $"Invalid '{prompt.Path}': give 1 to {MostPrompts} prompts.", "invalid_value");
        return elements[0].IsNumber
            ? [Tokens(prompt)]
            : [.. elements.Select(e => e.IsText ? new TextPrompt(e.AsText(), special) : (InferencePrompt)Tokens(e))];
    }

    private static TokenPrompt Tokens(JsonField list) => new([.. list.Elements().Select(e => (int)e.AsWhole(0, int.MaxValue))]);

    private async Task Stream(HttpContext context, List<InferenceSession> sessions, CompletionAnswer answer, bool includeUsage)
    {
        await using EventStream events = await EventStream.Begin(context, service.Options.PingInterval).ConfigureAwait(false);
        await events.Run(async () =>
        {
            await foreach ((int prompt, InferencePiece piece) in Merge(sessions, context.RequestAborted).ConfigureAwait(false))
            {
                if (answer.Chunk(prompt, piece) is { } chunk)
                    await events.Send(chunk).ConfigureAwait(false);
            }
            if (includeUsage)
                await events.Send((JsonNode)answer.UsageChunk()).ConfigureAwait(false);
            await events.Send("[DONE]").ConfigureAwait(false);
        }).ConfigureAwait(false);
    }

    private static IAsyncEnumerable<(int Prompt, InferencePiece Piece)> Merge(List<InferenceSession> sessions, CancellationToken cancellation)
    {
        Channel<(int, InferencePiece)> merged = Channel.CreateUnbounded<(int, InferencePiece)>(new UnboundedChannelOptions { SingleReader = true });
        _ = Task.WhenAll(sessions.Select(Pump)).ContinueWith(t => merged.Writer.TryComplete(t.Exception?.InnerException), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return merged.Reader.ReadAllAsync(cancellation);

        async Task Pump(InferenceSession session, int prompt)
        {
            await foreach (InferencePiece piece in session.Pieces(cancellation).ConfigureAwait(false))
                merged.Writer.TryWrite((prompt, piece));
        }
    }
}
