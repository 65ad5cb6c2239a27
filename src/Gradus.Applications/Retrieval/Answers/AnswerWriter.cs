using System.Runtime.CompilerServices;
using System.Text;
using Gradus.Applications.Retrieval.Indexing;
using Gradus.Applications.Retrieval.Search;
using Microsoft.Extensions.AI;

namespace Gradus.Applications.Retrieval.Answers;

/// <summary>Answers questions from an index, through any chat model. One conversation at a time.</summary>
/// <param name="search">What is searched, with a chat model.</param>
/// <param name="recipe">How; null: the usual way for the index.</param>
/// <param name="options">How the answer is written; null: the defaults.</param>
public sealed class AnswerWriter(SearchContext search, RetrievalStep? recipe = null, AnswerOptions? options = null)
{
    private readonly IChatClient _chat = search.Chat ?? throw new ArgumentException("answers need a chat model.", nameof(search));
    private readonly RetrievalStep _recipe = recipe ?? RetrievalStep.Default(search.Index.Settings.EmbeddingModel is not null && search.Embeddings is not null);
    private readonly AnswerOptions _options = options ?? new AnswerOptions();
    private readonly List<(string Question, string Answer)> _conversation = [];

    /// <summary>Forgets what was said.</summary>
    public void Reset() => _conversation.Clear();

    /// <summary>Answers a question; behind earlier ones it is first made whole by the model.</summary>
    /// <param name="question">The question.</param>
    /// <param name="cancellation">Ends the work.</param>
    public async Task<RetrievalAnswer> AnswerAsync(string question, CancellationToken cancellation = default)
    {
        RetrievalAnswer? answer = null;
        await foreach (AnswerPart part in StreamAsync(question, cancellation).ConfigureAwait(false))
            answer = part.Answer ?? answer;
        return answer!;
    }

    /// <summary>Answers a question while the model writes: pieces of its raw text, whose citations are not verified yet, and at the end the answer.</summary>
    /// <param name="question">The question.</param>
    /// <param name="cancellation">Ends the work.</param>
    public async IAsyncEnumerable<AnswerPart> StreamAsync(string question, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(question);
        string query = _conversation.Count == 0 ? question : await MakeWholeAsync(question, cancellation).ConfigureAwait(false);
        IReadOnlyList<StoredChunk> passages = await FindAsync(query, cancellation).ConfigureAwait(false);
        RetrievalAnswer answer;
        if (passages.Count == 0)
        {
            // Nothing that could be cited: a model has nothing to add.
            answer = new RetrievalAnswer(AnswerOptions.NotFound, [], 0, Found: false, passages, query);
            yield return new AnswerPart(answer.Text, null);
        }
        else
        {
            StringBuilder written = new();
            ChatOptions chat = new() { Temperature = _options.Temperature, MaxOutputTokens = _options.Tokens, Seed = 0 };
            await foreach (ChatResponseUpdate update in _chat.GetStreamingResponseAsync(AnswerPrompts.Answer(query, passages), chat, cancellation).ConfigureAwait(false))
            {
                if (update.Text.Length == 0)
                    continue;
                written.Append(update.Text);
                yield return new AnswerPart(update.Text, null);
            }
            (string text, IReadOnlyList<Citation> citations, int removed) = CitationVerifier.Verify(written.ToString(), passages);
            bool found = !text.Contains(AnswerOptions.NotFound.TrimEnd('.'), StringComparison.OrdinalIgnoreCase);
            answer = new RetrievalAnswer(text, citations, removed, found, passages, query);
        }
        _conversation.Add((query, answer.Text));
        yield return new AnswerPart("", answer);
    }

    /// <summary>The passages that an answer would be written from.</summary>
    /// <param name="query">The question.</param>
    /// <param name="cancellation">Ends the work.</param>
    public async Task<IReadOnlyList<StoredChunk>> FindAsync(string query, CancellationToken cancellation = default)
    {
        IReadOnlyList<Hit> hits = await _recipe.FindAsync(search, query, _options.Passages, cancellation).ConfigureAwait(false);
        IReadOnlyList<StoredChunk> chunks = search.Index.Chunks(hits.Select(h => h.Chunk));
        return AnswerPrompts.Fit(_options.Around == 0 ? chunks : Widen(chunks), _options);
    }

    private async Task<string> MakeWholeAsync(string question, CancellationToken cancellation)
    {
        ChatOptions chat = new() { Temperature = 0, MaxOutputTokens = 100, Seed = 0 };
        ChatResponse response = await _chat.GetResponseAsync(AnswerPrompts.Whole(_conversation, question), chat, cancellation).ConfigureAwait(false);
        return response.Text.Trim() is { Length: > 0 } whole ? whole : question;
    }

    // A hit with its neighbours is one passage: from the first character of the first to the last of the last.
    private List<StoredChunk> Widen(IReadOnlyList<StoredChunk> chunks)
    {
        List<StoredChunk> widened = [];
        foreach (StoredChunk chunk in chunks)
        {
            if (widened.Any(w => w.Document == chunk.Document && w.Start <= chunk.Start && chunk.Start + chunk.Text.Length <= w.Start + w.Text.Length))
                continue;
            IReadOnlyList<StoredChunk> around = search.Index.Neighbours(chunk, _options.Around);
            int start = around[0].Start, end = around.Max(a => a.Start + a.Text.Length);
            string text = search.Index.DocumentText(chunk.Document)!;
            widened.Add(chunk with { Start = start, Text = text[start..end], Headings = around[0].Headings, Page = around[0].Page });
        }
        return widened;
    }
}

/// <summary>A piece of an answer on its way.</summary>
/// <param name="Text">Text that the model has just written; its citations are not verified yet.</param>
/// <param name="Answer">The whole, verified answer; only with the last part.</param>
public readonly record struct AnswerPart(string Text, RetrievalAnswer? Answer);
