namespace Gradus.Cli.Stages;
internal sealed class Sampler { public static Sampler? OfTexts(params object[] x) => null; public void Write(params object[] x) { } }
