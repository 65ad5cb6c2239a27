using System.Buffers.Binary;
using System.Text.Json.Nodes;
using Gradus.Bundle;
using Gradus.Server.Catalog;
using Gradus.Server.Http;
using Gradus.Server.Inference;
using Gradus.Server.Security;
using Microsoft.AspNetCore.Http;

namespace Gradus.Server.OpenAi;

/// <summary><c>POST /v1/embeddings</c>.</summary>
internal sealed class EmbeddingEndpoint(InferenceService service)
{
    private const int MostInputs = 2048;

    public async Task Answer(HttpContext context)
    {
        JsonField body = await JsonAnswer.Read(context).ConfigureAwait(false);
        bool base64 = (body.Text("encoding_format") ?? "float") switch { "float" => false, "base64" => true, _ => throw body.Get("encoding_format").Unknown("'float' and 'base64'") };
        IReadOnlyList<JsonField> inputs = Inputs(body.Get("input"));
        (float[][] vectors, int tokens, string model) = await Embed(context, body.Text("model"), (int?)body.Whole("dimensions", 1, int.MaxValue), bundle => [.. inputs.Select(i => Ids(i, bundle))]).ConfigureAwait(false);
        await JsonAnswer.Write(context, new JsonObject
        {
            ["object"] = "list",
            ["data"] = new JsonArray([.. vectors.Select((v, i) => (JsonNode)new JsonObject
            {
                ["object"] = "embedding",
                ["index"] = i,
                ["embedding"] = base64 ? Base64(v) : new JsonArray([.. v.Select(x => (JsonNode)x)]),
            })]),
            ["model"] = model,
            ["usage"] = new JsonObject { ["prompt_tokens"] = tokens, ["total_tokens"] = tokens },
        }).ConfigureAwait(false);
    }

    /// <summary>Makes vectors with a model.</summary>
    /// <param name="context">The request.</param>
    /// <param name="name">The model's name; null for the first.</param>
    /// <param name="dimensions">The first so many values only; null for all.</param>
    /// <param name="encode">Gives the tokens of each text.</param>
    public async Task<(float[][] Vectors, int Tokens, string Model)> Embed(HttpContext context, string? name, int? dimensions, Func<ModelBundle, int[][]> encode)
    {
        using IDisposable place = service.Enter(context, 1, out RequestTicket? ticket);
        using ModelLease lease = await service.Catalog.Acquire(name, context.RequestAborted).ConfigureAwait(false);
        if (lease.Adapter is not null)
            throw ApiException.Invalid("model", $"'{lease.Name}' is an adapter; ask its base model for vectors.", "unsupported_model");
        if (lease.Model is not { Bundle: { } bundle, Embedder: { } usual })
            throw ApiException.Invalid("model", $"The model '{lease.Name}' makes no vectors.", "unsupported_model");
        TextEmbedder embedder = dimensions is null ? usual : new TextEmbedder(bundle, new EmbeddingOptions(Dimensions: dimensions));
        await lease.Model.Beside.WaitAsync(context.RequestAborted).ConfigureAwait(false);
        try
        {
            int[][] sequences = encode(bundle);
            float[][] vectors = await Task.Run(() => embedder.EmbedTokens(sequences, context.RequestAborted), context.RequestAborted).ConfigureAwait(false);
            int tokens = sequences.Sum(s => s.Length);
            ticket?.Count(tokens);
            return (vectors, tokens, lease.Name);
        }
        catch (ArgumentException e)
        {
            throw ApiException.Invalid(e.Message.StartsWith("Dimensions", StringComparison.Ordinal) ? "dimensions" : "input", e.Message);
        }
        finally
        {
            lease.Model.Beside.Release();
        }
    }

    /// <summary>The tokens of a text.</summary>
    /// <exception cref="ApiException">It is empty or too long.</exception>
    public static int[] Ids(string text, string parameter, ModelBundle bundle)
    {
        if (text.Length == 0)
            throw ApiException.Invalid(parameter, $"Invalid '{parameter}': the text is empty.", "invalid_value");
        int[] ids = bundle.ReadsSource ? SourceText.Encode(text, bundle.Tokenizer) : bundle.Tokenizer.Encode(text);
        return ids.Length > bundle.ContextLength ? throw ApiException.TooLong(ids.Length, bundle.ContextLength, parameter) : ids;
    }

    private static int[] Ids(JsonField input, ModelBundle bundle)
    {
        if (input.IsText)
            return Ids(input.AsText(), input.Path, bundle);
        int[] ids = [.. input.Elements().Select(e => (int)e.AsWhole(0, bundle.Model.Config.Vocabulary - 1))];
        if (ids.Length == 0)
            throw ApiException.Invalid(input.Path, $"Invalid '{input.Path}': there is no token.", "invalid_value");
        return ids.Length > bundle.ContextLength ? throw ApiException.TooLong(ids.Length, bundle.ContextLength, input.Path) : ids;
    }

    private static JsonField[] Inputs(JsonField input)
    {
        if (input.IsText)
            return [input];
        JsonField[] elements = [.. input.Elements()];
        if (elements.Length > 0 && elements[0].IsNumber)
            return [input];
        return elements.Length is >= 1 and <= MostInputs ? elements : throw ApiException.Invalid("input", $"Invalid 'input': give 1 to {MostInputs} texts.", "invalid_value");
    }

    private static string Base64(float[] vector)
    {
        byte[] bytes = new byte[vector.Length * sizeof(float)];
        for (int i = 0; i < vector.Length; i++)
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i * sizeof(float)), vector[i]);
        return Convert.ToBase64String(bytes);
    }
}
