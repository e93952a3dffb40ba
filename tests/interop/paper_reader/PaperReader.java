import com.google.zxing.BinaryBitmap;
import com.google.zxing.DecodeHintType;
import com.google.zxing.ReaderException;
import com.google.zxing.client.j2se.BufferedImageLuminanceSource;
import com.google.zxing.common.HybridBinarizer;
import com.google.zxing.qrcode.QRCodeReader;
import java.awt.image.BufferedImage;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.pdfbox.Loader;
import org.apache.pdfbox.rendering.PDFRenderer;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;

/**
 * What others see in PDF files: `java PaperReader.java FILE...` prints a line "broken RULE: MESSAGE" for every rule of
 * PDF/UA-1 (ISO 14289-1) that a file breaks, "code TEXT" for each page with a QR code, and "read FILE" when it is done.
 */
public class PaperReader {
    private static final PDFAFlavour UA = PDFAFlavour.PDFUA_1;
    /** Dots per inch of a page as it is scanned. A telephone, too, looks more than once, and not always from as near. */
    private static final int[] RESOLUTIONS = {150, 200, 300};
    private static final Map<DecodeHintType, Boolean> LOOK_CLOSELY = Map.of(DecodeHintType.TRY_HARDER, true);

    public static void main(String[] files) throws Exception {
        VeraGreenfieldFoundryProvider.initialise();
        for (String file : files) {
            checkAccessible(Path.of(file));
            readCodes(new File(file));
            System.out.println("read " + file);
        }
    }

    private static void checkAccessible(Path file) throws Exception {
        try (var parser = Foundries.defaultInstance().createParser(Files.newInputStream(file), UA);
                var validator = Foundries.defaultInstance().createValidator(UA, false)) {
            for (TestAssertion one : validator.validate(parser).getTestAssertions()) {
                if (one.getStatus() == TestAssertion.Status.FAILED) {
                    System.out.println("broken " + one.getRuleId().getClause() + ": " + one.getMessage());
                }
            }
        }
    }

    private static void readCodes(File file) throws Exception {
        try (var document = Loader.loadPDF(file)) {
            var renderer = new PDFRenderer(document);
            for (int page = 0; page < document.getNumberOfPages(); page++) {
                String code = null;
                for (int i = 0; code == null && i < RESOLUTIONS.length; i++) {
                    code = codeIn(renderer.renderImageWithDPI(page, RESOLUTIONS[i]));
                }
                if (code != null) {
                    System.out.println("code " + code);
                }
            }
        }
    }

    /** What the QR code of a picture says; null without one that can be read. */
    private static String codeIn(BufferedImage picture) {
        var bits = new BinaryBitmap(new HybridBinarizer(new BufferedImageLuminanceSource(picture)));
        try {
            return new QRCodeReader().decode(bits, LOOK_CLOSELY).getText();
        } catch (ReaderException none) {
            return null;
        }
    }
}
