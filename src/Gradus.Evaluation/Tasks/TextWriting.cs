using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Gradus.Bundle;
using Gradus.Generation;
using Gradus.Text.Chat;

namespace Gradus.Evaluation.Tasks;

/// <summary>Writes the texts that requests ask for, several at a time: as one ends, the next one begins.</summary>
internal sealed class TextWriting(ModelBundle bundle, LocalModelOptions options, Action shortened)
{
    /// <summary>Writes all texts of some requests, the longest prompts first.</summary>
    public void Write(int[] places, IReadOnlyList<EvalRequest> requests, Action<int, EvalResponse> answered, CancellationToken cancellation)
    {
        Queue<Job> waiting = new(places.SelectMany(p => Jobs(p, (GenerateRequest)requests[p])).OrderByDescending(j => j.Length).ThenBy(j => j.Place));
        Dictionary<int, string?[]> texts = places.ToDictionary(p => p, p => new string?[((GenerateRequest)requests[p]).Repeats]);
        using Generator generator = new(bundle.Generative);
        Dictionary<GeneratedSequence, Job> active = [];
        while (waiting.Count > 0 || active.Count > 0)
        {
            while (waiting.Count > 0 && active.Count < options.Batch)
            {
                Job job = waiting.Dequeue();
                active[generator.Add(job.Request)] = job;
            }
            foreach (NewToken token in generator.Step(cancellation))
            {
                Job job = active[token.Sequence];
                if (!job.Request.StopTokens.Contains(token.Id))
                    job.Text.Append(token.Id);
                if (job.Text.Stopped)
                    token.Sequence.Cancel();
            }
            foreach ((GeneratedSequence sequence, Job job) in active.Where(a => a.Key.Finish is not null).ToArray())
            {
                active.Remove(sequence);
                job.Text.Finish();
                texts[job.Place][job.Repeat] = job.Settings.Cut(job.Text.Text);
                if (Array.TrueForAll(texts[job.Place], t => t is not null))
                    answered(job.Place, new TextResponse([.. texts[job.Place].Select(t => t!)]));
            }
        }
    }

    private IEnumerable<Job> Jobs(int place, GenerateRequest request)
    {
        GenerationRequest prompt = request.Messages is { } messages ? Answer(messages) : bundle.Continue(request.Context);
        GenerationSettings settings = request.Settings;
        bool reads = bundle.ReadsSource;
        int[] given = reads ? prompt.Source! : prompt.Prompt;
        (int[] tokens, int most) = reads
            ? (given[^Math.Min(given.Length, bundle.ContextLength)..], Math.Min(settings.MaxTokens, bundle.ContextLength - 1))
            : GenerationSettings.Fit(given, settings.MaxTokens, bundle.ContextLength, Math.Min(settings.MaxTokens, Math.Max(1, bundle.ContextLength / 4)), shrink: true);
        if (tokens.Length < given.Length)
            shortened();
        for (int r = 0; r < request.Repeats; r++)
        {
            GenerationRequest job = (reads ? prompt with { Source = tokens } : prompt with { Prompt = tokens }) with { MaxNewTokens = most };
            if (settings.DoSample && settings.Temperature is not 0)
            {
                SamplingOptions sampling = new((float)(settings.Temperature ?? 1), settings.TopK, (float)settings.TopP, (float)settings.MinP);
                job = job with { Steps = sampling.Steps(job.StopTokens), Seed = SeedOf(request, r) };
            }
            yield return new Job(place, r, settings, job, new StreamedText(bundle.Tokenizer, job.TextBefore, [.. settings.Until.Where(u => u.Length > 0)]));
        }
    }

    private GenerationRequest Answer(IReadOnlyList<ChatMessage> messages) => bundle.Answer(new ChatConversation(messages));

    // Of the request itself, so that what else is asked does not matter.
    private ulong SeedOf(GenerateRequest request, int repeat)
    {
        byte[] key = Encoding.UTF8.GetBytes($"{options.Seed}\n{repeat}\n{request.Context}\n{string.Join('\n', (request.Messages ?? []).Select(m => $"{m.Role}: {m.Text}"))}");
        return BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(key));
    }

    private sealed record Job(int Place, int Repeat, GenerationSettings Settings, GenerationRequest Request, StreamedText Text)
    {
        public int Length => Request.Source?.Length ?? Request.Prompt.Length;
    }
}
