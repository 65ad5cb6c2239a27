// Peers that are .NET packages: torch LAYERS HEADS WIDTH CONTEXT VOCABULARY BATCH LENGTH STEPS THREADS | llama MODEL.gguf PROMPT NEW THREADS.
// Prints a name and its figures a line, as the scripts beside it do; bench/Gradus.Bench reads them.

using System.Globalization;
using Gradus.Peers;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
switch (args)
{
    case ["torch", .. var sizes] when sizes.Length == 9:
        TorchTraining.Run([.. sizes.Select(int.Parse)]);
        return 0;
    case ["llama", var model, var prompt, var tokens, var threads]:
        LlamaSpeed.Run(model, int.Parse(prompt), int.Parse(tokens), int.Parse(threads));
        return 0;
    default:
        Console.Error.WriteLine("usage: torch LAYERS HEADS WIDTH CONTEXT VOCABULARY BATCH LENGTH STEPS THREADS | llama MODEL.gguf PROMPT NEW THREADS");
        return 2;
}
