namespace Gradus.Files;

/// <summary>
/// Names of token tables and of the output layers that are tied to them. Of tensors that share their memory safetensors keeps one, the
/// first by name (<c>save_model</c>), which is the output layer's for most architectures.
/// </summary>
internal static class TiedNames
{
    private static readonly string[] Tables =
        ["embed_tokens.weight", "wte.weight", "word_embeddings.weight", "word_embedding.weight", "embed_in.weight", "shared.weight"];

    private static readonly string[] Heads =
    [
        "lm_head.weight", "embed_out.weight", "lm_head.decoder.weight", "cls.predictions.decoder.weight", "generator_lm_head.weight",
        "vocab_projector.weight", "lm_loss.weight",
    ];

    /// <summary>The output layer's tensor that is a token table, where the file has it under that name alone; or null.</summary>
    /// <param name="file">The checkpoint.</param>
    /// <param name="table">The name of a parameter that it lacks.</param>
    public static TensorEntry? HeadOf(TensorFile file, string table) =>
        !Array.Exists(Tables, t => table == t || table.EndsWith($".{t}", StringComparison.Ordinal))
            ? null
            : Heads.Select(head => file.TryGet(head, out TensorEntry? entry) ? entry : null).FirstOrDefault(e => e is not null);
}
